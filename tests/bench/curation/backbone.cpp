#include "tests/bench/curation/backbone.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>

#include "cloud/curate/strategy/rng.h"
#include "cloud/curate/strategy/vectors.h"

#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define GLEANER_WIDE __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define GLEANER_WIDE
#endif

namespace gleaner::bench {
namespace {

constexpr size_t kMaps1 = 16, kCells1 = 14 * 14, kTaps1 = 25;
constexpr size_t kMaps2 = 32, kCells2 = 7 * 7, kTaps2 = kMaps1 * 9;
constexpr size_t kOut = 8;
constexpr size_t kBatch = 128, kSteps = 1000;

// Where each layer's weights are, and its biases behind them.
constexpr size_t kW1 = 0, kB1 = kW1 + kMaps1 * kTaps1;
constexpr size_t kW2 = kB1 + kMaps1, kB2 = kW2 + kMaps2 * kTaps2;
constexpr size_t kW3 = kB2 + kMaps2, kB3 = kW3 + Backbone::kSize * Backbone::kMap;
constexpr size_t kW4 = kB3 + Backbone::kSize, kB4 = kW4 + kOut * Backbone::kSize;
constexpr size_t kWeights = kB4 + kOut;

// c (rows × columns) += a (rows × inner) · b (inner × columns)
GLEANER_WIDE void Multiply(const float* a, const float* b, size_t rows, size_t inner,
                           size_t columns, float* c) {
  size_t row = 0;
  for (; row + 4 <= rows; row += 4) {
    float *c0 = c + row * columns, *c1 = c0 + columns, *c2 = c1 + columns, *c3 = c2 + columns;
    for (size_t k = 0; k < inner; ++k) {
      const float a0 = a[row * inner + k], a1 = a[(row + 1) * inner + k],
                  a2 = a[(row + 2) * inner + k], a3 = a[(row + 3) * inner + k];
      const float* from = b + k * columns;
      for (size_t j = 0; j < columns; ++j) {
        const float value = from[j];
        c0[j] += a0 * value;
        c1[j] += a1 * value;
        c2[j] += a2 * value;
        c3[j] += a3 * value;
      }
    }
  }
  for (; row < rows; ++row) {
    for (size_t k = 0; k < inner; ++k) {
      const float value = a[row * inner + k];
      for (size_t j = 0; j < columns; ++j) c[row * columns + j] += value * b[k * columns + j];
    }
  }
}

void Transpose(const float* from, size_t rows, size_t columns, float* to) {
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
  }
}

// What each tap of a kernel sees of each cell: taps × cells. With `back` the other way: cells'
// gradients are added to what they saw.
template <bool back>
void Taps(std::conditional_t<back, float, const float>* maps, size_t count, int side, int kernel,
          std::conditional_t<back, const float, float>* taps) {
  const int out = side / 2, pad = kernel / 2;
  for (size_t map = 0; map < count; ++map) {
    for (int ky = 0; ky < kernel; ++ky) {
      for (int kx = 0; kx < kernel; ++kx) {
        for (int y = 0; y < out; ++y) {
          const int sy = 2 * y + ky - pad;
          for (int x = 0; x < out; ++x, ++taps) {
            const int sx = 2 * x + kx - pad;
            const bool inside = sx >= 0 && sy >= 0 && sx < side && sy < side;
            const size_t at = map * side * side + (inside ? sy * side + sx : 0);
            if constexpr (back) {
              if (inside) maps[at] += *taps;
            } else {
              *taps = inside ? maps[at] : 0;
            }
          }
        }
      }
    }
  }
}

void Relu(float* values, size_t count) {
  for (size_t i = 0; i < count; ++i) values[i] = std::max(values[i], 0.0F);
}

}  // namespace

struct Backbone::Work {
  explicit Work(size_t most)
      : taps1(most * kTaps1 * kCells1),
        maps1(most * kMaps1 * kCells1),
        taps2(most * kTaps2 * kCells2),
        maps2(most * kMap),
        embeddings(most * kSize),
        outputs(most * kOut),
        keep(most * kMap, 1),
        transposed(kSize * kMap) {}

  std::vector<float> taps1, maps1, taps2, maps2, embeddings, outputs, keep, transposed;
};

void Backbone::Forward(const std::vector<float>& w, const float* pixels, size_t count, Work& work) {
  for (size_t i = 0; i < count; ++i) {
    float* taps1 = &work.taps1[i * kTaps1 * kCells1];
    float* maps1 = &work.maps1[i * kMaps1 * kCells1];
    Taps<false>(pixels + i * kPixels, 1, kSide, 5, taps1);
    for (size_t m = 0; m < kMaps1; ++m) std::fill_n(maps1 + m * kCells1, kCells1, w[kB1 + m]);
    Multiply(&w[kW1], taps1, kMaps1, kTaps1, kCells1, maps1);
    Relu(maps1, kMaps1 * kCells1);
    float* taps2 = &work.taps2[i * kTaps2 * kCells2];
    float* maps2 = &work.maps2[i * kMap];
    Taps<false>(maps1, kMaps1, 14, 3, taps2);
    for (size_t m = 0; m < kMaps2; ++m) std::fill_n(maps2 + m * kCells2, kCells2, w[kB2 + m]);
    Multiply(&w[kW2], taps2, kMaps2, kTaps2, kCells2, maps2);
    Relu(maps2, kMap);
    for (size_t j = 0; j < kMap; ++j) maps2[j] *= work.keep[i * kMap + j];
    std::copy_n(&w[kB3], kSize, &work.embeddings[i * kSize]);
  }
  Transpose(&w[kW3], kSize, kMap, work.transposed.data());
  Multiply(work.maps2.data(), work.transposed.data(), count, kMap, kSize, work.embeddings.data());
  Relu(work.embeddings.data(), count * kSize);
  for (size_t i = 0; i < count; ++i) {
    for (size_t o = 0; o < kOut; ++o) {
      float sum = w[kB4 + o];
      for (size_t k = 0; k < kSize; ++k) {
        sum += w[kW4 + o * kSize + k] * work.embeddings[i * kSize + k];
      }
      work.outputs[i * kOut + o] = sum;
    }
  }
}

// Of the mean cross-entropy over a batch, added to `gradient`.
void Backbone::Backward(const std::vector<float>& w, const uint8_t* classes, size_t count,
                        Work& work, float* gradient) {
  std::vector<float> d_embeddings(count * kSize, 0), d_maps2(count * kMap, 0);
  for (size_t i = 0; i < count; ++i) {
    float* out = &work.outputs[i * kOut];
    const float* embedding = &work.embeddings[i * kSize];
    const float most = *std::max_element(out, out + kOut);
    float sum = 0;
    for (size_t o = 0; o < kOut; ++o) sum += out[o] = std::exp(out[o] - most);
    for (size_t o = 0; o < kOut; ++o) {
      const float d = (out[o] / sum - (classes[i] == o ? 1.0F : 0.0F)) / kBatch;
      gradient[kB4 + o] += d;
      for (size_t k = 0; k < kSize; ++k) {
        gradient[kW4 + o * kSize + k] += d * embedding[k];
        d_embeddings[i * kSize + k] += d * w[kW4 + o * kSize + k];
      }
    }
    for (size_t k = 0; k < kSize; ++k) {
      if (embedding[k] <= 0) d_embeddings[i * kSize + k] = 0;
      gradient[kB3 + k] += d_embeddings[i * kSize + k];
    }
  }
  std::vector<float> turned(kSize * count);
  Transpose(d_embeddings.data(), count, kSize, turned.data());
  Multiply(turned.data(), work.maps2.data(), kSize, count, kMap, gradient + kW3);
  Multiply(d_embeddings.data(), &w[kW3], count, kSize, kMap, d_maps2.data());
  std::vector<float> cells(kTaps1 * kCells1), d_taps2(kTaps2 * kCells2), d_maps1(kMaps1 * kCells1),
      w2(kTaps2 * kMaps2);
  cells.resize(std::max(cells.size(), d_taps2.size()));
  Transpose(&w[kW2], kMaps2, kTaps2, w2.data());
  for (size_t i = 0; i < count; ++i) {
    float* d2 = &d_maps2[i * kMap];
    for (size_t j = 0; j < kMap; ++j) {
      d2[j] = work.maps2[i * kMap + j] > 0 ? d2[j] * work.keep[i * kMap + j] : 0;
    }
    for (size_t m = 0; m < kMaps2; ++m) {
      for (size_t c = 0; c < kCells2; ++c) gradient[kB2 + m] += d2[m * kCells2 + c];
    }
    Transpose(&work.taps2[i * kTaps2 * kCells2], kTaps2, kCells2, cells.data());
    Multiply(d2, cells.data(), kMaps2, kCells2, kTaps2, gradient + kW2);
    std::fill(d_taps2.begin(), d_taps2.end(), 0);
    Multiply(w2.data(), d2, kTaps2, kMaps2, kCells2, d_taps2.data());
    std::fill(d_maps1.begin(), d_maps1.end(), 0);
    Taps<true>(d_maps1.data(), kMaps1, 14, 3, d_taps2.data());
    const float* maps1 = &work.maps1[i * kMaps1 * kCells1];
    for (size_t j = 0; j < d_maps1.size(); ++j) {
      if (maps1[j] <= 0) d_maps1[j] = 0;
    }
    for (size_t m = 0; m < kMaps1; ++m) {
      for (size_t c = 0; c < kCells1; ++c) gradient[kB1 + m] += d_maps1[m * kCells1 + c];
    }
    Transpose(&work.taps1[i * kTaps1 * kCells1], kTaps1, kCells1, cells.data());
    Multiply(d_maps1.data(), cells.data(), kMaps1, kCells1, kTaps1, gradient + kW1);
  }
}

Backbone::Backbone(const Pictures& train) : weights_(kWeights, 0) {
  cloud::Rng rng(5);
  const auto fill = [&](size_t from, size_t count, size_t inputs) {
    const double scale = std::sqrt(6.0 / static_cast<double>(inputs));  // He, for ReLU
    for (size_t i = 0; i < count; ++i) {
      weights_[from + i] = static_cast<float>((2 * rng.Uniform() - 1) * scale);
    }
  };
  fill(kW1, kMaps1 * kTaps1, kTaps1);
  fill(kW2, kMaps2 * kTaps2, kTaps2);
  fill(kW3, kSize * kMap, kMap);
  fill(kW4, kOut * kSize, kSize);

  std::vector<size_t> order;
  for (size_t i = 50'000; i < train.size(); ++i) {
    const uint8_t label = train.labels[i];
    if (std::find(kNeverSeen.begin(), kNeverSeen.end(), label) == kNeverSeen.end()) {
      order.push_back(i);
    }
  }
  uint8_t number[kClasses] = {};
  for (size_t c = 0, next = 0; c < kClasses; ++c) {
    if (c != kNeverSeen[0] && c != kNeverSeen[1]) number[c] = static_cast<uint8_t>(next++);
  }
  constexpr size_t kHalf = kBatch / 2;
  Work work[2] = {Work(kHalf), Work(kHalf)};
  std::vector<float> gradients[2] = {std::vector<float>(kWeights), std::vector<float>(kWeights)};
  std::vector<float> mean(kWeights, 0), square(kWeights, 0), pixels(kBatch * kPixels);
  std::vector<uint8_t> classes(kBatch);
  size_t next = order.size();
  for (size_t step = 0; step < kSteps; ++step) {
    for (size_t i = 0; i < kBatch; ++i, ++next) {
      if (next == order.size()) {
        rng.Shuffle(order);
        next = 0;
      }
      const float* from = train.at(order[next]);
      classes[i] = number[train.labels[order[next]]];
      const int dx = static_cast<int>(rng.Below(5)) - 2, dy = static_cast<int>(rng.Below(5)) - 2;
      const bool mirrored = rng.Below(2) == 1;
      const int side = static_cast<int>(kSide);
      for (int y = 0; y < side; ++y) {
        for (int x = 0; x < side; ++x) {
          const int sx = (mirrored ? side - 1 - x : x) + dx, sy = y + dy;
          pixels[i * kPixels + y * kSide + x] =
              sx < 0 || sy < 0 || sx >= side || sy >= side ? 0 : from[sy * side + sx];
        }
      }
    }
    for (Work& half : work) {  // a third of the last maps is left out each time
      for (float& keep : half.keep) keep = rng.Uniform() < .3 ? 0 : 1 / .7F;
    }
    cloud::InParallel(2, 2, [&](size_t from, size_t to) {
      for (size_t t = from; t < to; ++t) {
        std::fill(gradients[t].begin(), gradients[t].end(), 0);
        Forward(weights_, &pixels[t * kHalf * kPixels], kHalf, work[t]);
        Backward(weights_, &classes[t * kHalf], kHalf, work[t], gradients[t].data());
      }
    });
    const double done = static_cast<double>(step) / kSteps;
    const double rate = 2e-3 * (done < .1 ? done * 10 : (1 - done) / .9);
    const double b1 = 1 - std::pow(.9, step + 1), b2 = 1 - std::pow(.999, step + 1);
    for (size_t i = 0; i < kWeights; ++i) {
      const float g = gradients[0][i] + gradients[1][i];
      mean[i] = .9F * mean[i] + .1F * g;
      square[i] = .999F * square[i] + .001F * g * g;
      weights_[i] -= static_cast<float>(
          rate * (mean[i] / b1 / (std::sqrt(square[i] / b2) + 1e-8) + 1e-2 * weights_[i]));
    }
  }
}

Backbone::Output Backbone::Run(const Pictures& pictures) const {
  Output output{std::vector<float>(pictures.size() * kMap),
                std::vector<float>(pictures.size() * kSize)};
  constexpr size_t kPiece = 64;
  Work work(kPiece);
  for (size_t from = 0; from < pictures.size(); from += kPiece) {
    const size_t count = std::min(kPiece, pictures.size() - from);
    Forward(weights_, pictures.at(from), count, work);
    std::copy_n(work.maps2.begin(), count * kMap, output.maps.begin() + from * kMap);
    std::copy_n(work.embeddings.begin(), count * kSize, output.embeddings.begin() + from * kSize);
  }
  return output;
}

double Backbone::Accuracy(const Pictures& pictures) const {
  Work work(1);
  size_t seen = 0, right = 0;
  for (size_t i = 0; i < pictures.size(); ++i) {
    const uint8_t label = pictures.labels[i];
    if (label == kNeverSeen[0] || label == kNeverSeen[1]) continue;
    Forward(weights_, pictures.at(i), 1, work);
    size_t expected = label - (label > kNeverSeen[0] ? 1 : 0) - (label > kNeverSeen[1] ? 1 : 0);
    const auto best = std::max_element(work.outputs.begin(), work.outputs.begin() + kOut);
    right += static_cast<size_t>(best - work.outputs.begin()) == expected ? 1 : 0;
    ++seen;
  }
  return static_cast<double>(right) / static_cast<double>(seen);
}

}  // namespace gleaner::bench
