#include "tests/bench/curation/fleet_pool.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "cloud/curate/strategy/rng.h"

namespace gleaner::bench {
namespace {

using cloud::Rng;

constexpr size_t kSites = 10;
constexpr size_t kLongestBurst = 40;

double Between(Rng& rng, double low, double high) { return low + rng.Uniform() * (high - low); }

double Normal(Rng& rng) {
  const double u = std::max(rng.Uniform(), 1e-300);
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * rng.Uniform());
}

// Gamma(1/2), of which Dirichlet(1/2) is made: half of a squared normal.
double GammaHalf(Rng& rng) {
  const double n = Normal(rng);
  return n * n / 2;
}

size_t Weighted(Rng& rng, const std::array<double, 10>& weights) {
  double left = rng.Uniform();
  for (size_t i = 0; i < weights.size(); ++i) {
    left -= weights[i];
    if (left < 0) return i;
  }
  return weights.size() - 1;
}

void NearCopy(Rng& rng, const float* from, float* to) {
  const double angle = Between(rng, -8, 8) * std::numbers::pi / 180;
  const double dx = Between(rng, -2, 2), dy = Between(rng, -2, 2);
  const double gain = Between(rng, .75, 1.25), lift = Between(rng, -.1, .1);
  const double cos = std::cos(angle), sin = std::sin(angle), middle = (kSide - 1) / 2.0;
  const auto pixel = [&](int x, int y) {
    const int side = static_cast<int>(kSide);
    return x < 0 || y < 0 || x >= side || y >= side ? 0.0 : from[y * side + x];
  };
  for (size_t y = 0; y < kSide; ++y) {
    for (size_t x = 0; x < kSide; ++x) {
      const double u = static_cast<double>(x) - middle, v = static_cast<double>(y) - middle;
      const double sx = cos * u - sin * v + middle + dx, sy = sin * u + cos * v + middle + dy;
      const double fx = std::floor(sx), fy = std::floor(sy), wx = sx - fx, wy = sy - fy;
      const int ix = static_cast<int>(fx), iy = static_cast<int>(fy);
      const double value = (1 - wy) * ((1 - wx) * pixel(ix, iy) + wx * pixel(ix + 1, iy)) +
                           wy * ((1 - wx) * pixel(ix, iy + 1) + wx * pixel(ix + 1, iy + 1));
      to[y * kSide + x] = static_cast<float>(value * gain + lift + .03 * Normal(rng));
    }
  }
  if (rng.Uniform() < .1) {
    const size_t size = 6 + rng.Below(5);
    const size_t left = rng.Below(kSide - size), top = rng.Below(kSide - size);
    const float shade = static_cast<float>(rng.Uniform());
    for (size_t y = top; y < top + size; ++y) {
      std::fill_n(to + y * kSide + left, size, shade);
    }
  }
  for (size_t i = 0; i < kPixels; ++i) to[i] = std::clamp(to[i], 0.0F, 1.0F);
}

FleetPool Plain(Rng& rng, const Pictures& train) {
  FleetPool pool;
  std::vector<uint32_t> order(kPoolPictures);
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  rng.Shuffle(order);
  for (uint32_t i = 0; i < kPoolSize; ++i) {
    pool.captures.pixels.insert(pool.captures.pixels.end(), train.at(order[i]),
                                train.at(order[i]) + kPixels);
    pool.captures.labels.push_back(train.labels[order[i]]);
    pool.sites.push_back(0);
    pool.bursts.push_back(i);
  }
  pool.answers = pool.captures.labels;
  return pool;
}

FleetPool Fleet(Rng& rng, const Pictures& train, double mean_burst) {
  std::array<double, kSites> volumes{};
  double total = 0;
  for (size_t i = 0; i < kSites; ++i) total += volumes[i] = 1.0 / static_cast<double>(i + 1);
  for (double& volume : volumes) volume /= total;
  std::array<std::array<double, kClasses>, kSites> classes{};
  for (double rarest = 0; rarest < .01 || rarest > .02;) {
    std::array<double, kClasses> overall{};
    for (size_t s = 0; s < kSites; ++s) {
      double sum = 0;
      for (double& share : classes[s]) sum += share = GammaHalf(rng);
      for (size_t c = 0; c < kClasses; ++c) overall[c] += volumes[s] * (classes[s][c] /= sum);
    }
    rarest = *std::min_element(overall.begin(), overall.end());
  }
  std::vector<std::vector<uint32_t>> of_class(kClasses);
  for (uint32_t i = 0; i < kPoolPictures; ++i) of_class[train.labels[i]].push_back(i);
  for (auto& pictures : of_class) rng.Shuffle(pictures);

  FleetPool pool;
  pool.captures.pixels.resize(kPoolSize * kPixels);
  for (uint32_t burst = 0; pool.size() < kPoolSize; ++burst) {
    const size_t site = Weighted(rng, volumes);
    const size_t label = Weighted(rng, classes[site]);
    const uint32_t picture = of_class[label].back();
    of_class[label].pop_back();
    size_t length = 1;
    while (length < kLongestBurst && rng.Uniform() >= 1 / mean_burst) ++length;
    for (; length > 0 && pool.size() < kPoolSize; --length) {
      NearCopy(rng, train.at(picture), &pool.captures.pixels[pool.size() * kPixels]);
      pool.captures.labels.push_back(static_cast<uint8_t>(label));
      pool.sites.push_back(static_cast<uint32_t>(site));
      pool.bursts.push_back(burst);
    }
  }
  for (const uint8_t label : pool.captures.labels) {
    const bool flipped = rng.Uniform() < .03;
    pool.answers.push_back(
        flipped ? static_cast<uint8_t>((label + 1 + rng.Below(kClasses - 1)) % kClasses) : label);
  }
  return pool;
}

}  // namespace

std::vector<double> FleetPool::ClassShares() const {
  std::vector<double> shares(kClasses);
  for (const uint8_t label : captures.labels) shares[label] += 1.0 / static_cast<double>(size());
  return shares;
}

FleetPool MakePool(const std::string& kind, uint64_t seed, const Pictures& train) {
  Rng rng = Rng::For(seed, "pool " + kind);
  FleetPool pool = kind == "A" ? Plain(rng, train) : Fleet(rng, train, kind == "B" ? 10 : 5);
  pool.kind = kind;
  return pool;
}

}  // namespace gleaner::bench
