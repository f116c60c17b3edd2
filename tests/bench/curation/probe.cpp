#include "tests/bench/curation/probe.h"

#include <algorithm>
#include <cmath>
#include <deque>

#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define GLEANER_WIDE __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define GLEANER_WIDE
#endif

namespace gleaner::bench {
namespace {

constexpr double kC = 0.1;
constexpr size_t kWide = 16;  // classes, padded

using Vector = std::vector<double>;

double Times(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Scores of one row: classes beside each other.
GLEANER_WIDE void Scores(const float* row, const float* weights, size_t size, float* scores) {
  float sums[kWide] = {};
  for (size_t i = 0; i < size; ++i) {
    for (size_t c = 0; c < kWide; ++c) sums[c] += row[i] * weights[i * kWide + c];
  }
  for (size_t c = 0; c < kWide; ++c) scores[c] = sums[c];
}

GLEANER_WIDE void AddOuter(const float* row, const float* error, size_t size, float* gradient) {
  for (size_t i = 0; i < size; ++i) {
    for (size_t c = 0; c < kWide; ++c) gradient[i * kWide + c] += row[i] * error[c];
  }
}

// Over the classes that there are; the others get 0.
double Softmax(const bool* seen, float* scores) {
  float most = -1e30F;
  for (size_t c = 0; c < kClasses; ++c) {
    if (seen[c]) most = std::max(most, scores[c]);
  }
  double sum = 0;
  for (size_t c = 0; c < kClasses; ++c) {
    scores[c] = seen[c] ? std::exp(scores[c] - most) : 0;
    sum += scores[c];
  }
  for (size_t c = 0; c < kClasses; ++c) scores[c] /= static_cast<float>(sum);
  return most + std::log(sum);
}

std::vector<float> Padded(const Vector& weights, size_t size) {
  std::vector<float> padded(size * kWide, 0);
  for (size_t i = 0; i < size; ++i) {
    for (size_t c = 0; c < kClasses; ++c) {
      padded[i * kWide + c] = static_cast<float>(weights[i * kClasses + c]);
    }
  }
  return padded;
}

}  // namespace

Standardised Standardise(const std::vector<float>& pool, const std::vector<float>& test,
                         size_t size) {
  const size_t count = pool.size() / size;
  std::vector<double> mean(size, 0), square(size, 0);
  for (size_t i = 0; i < pool.size(); ++i) {
    mean[i % size] += pool[i] / static_cast<double>(count);
    square[i % size] += static_cast<double>(pool[i]) * pool[i] / static_cast<double>(count);
  }
  const auto apply = [&](const std::vector<float>& from) {
    Features features{size + 1, {}};
    features.rows.reserve(from.size() / size * (size + 1));
    for (size_t i = 0; i < from.size(); ++i) {
      const size_t k = i % size;
      const double deviation = std::sqrt(std::max(0.0, square[k] - mean[k] * mean[k])) + 1e-3;
      features.rows.push_back(static_cast<float>((from[i] - mean[k]) / deviation));
      if (k + 1 == size) features.rows.push_back(1);
    }
    return features;
  };
  return {apply(pool), apply(test)};
}

void Probe::Fit(const Features& features, const std::vector<size_t>& rows,
                const std::vector<uint8_t>& labels) {
  for (const size_t row : rows) seen_[labels[row]] = true;
  // Sum of losses + |w|² / 2C, biases free; divided by the number of rows.
  const double count = static_cast<double>(rows.size());
  const auto loss = [&](const Vector& w, Vector& gradient) {
    const std::vector<float> padded = Padded(w, size_);
    std::vector<float> sums(size_ * kWide, 0);
    double total = 0;
    for (const size_t row : rows) {
      float scores[kWide];
      Scores(features.at(row), padded.data(), size_, scores);
      const float right = scores[labels[row]];
      total += Softmax(seen_, scores) - right;
      scores[labels[row]] -= 1;
      for (size_t c = kClasses; c < kWide; ++c) scores[c] = 0;
      AddOuter(features.at(row), scores, size_, sums.data());
    }
    for (size_t i = 0; i < size_; ++i) {
      for (size_t c = 0; c < kClasses; ++c) {
        const size_t k = i * kClasses + c;
        const double weight = i + 1 < size_ ? w[k] / kC : 0;
        total += weight * w[k] / 2;
        gradient[k] = (sums[i * kWide + c] + weight) / count;
      }
    }
    return total / count;
  };
  // L-BFGS (Nocedal and Wright, algorithm 7.4) with backtracking.
  struct Step {
    Vector s, y;
    double rho;
  };
  std::deque<Step> steps;
  Vector gradient(weights_.size()), next_gradient(weights_.size());
  double value = loss(weights_, gradient);
  for (int iteration = 0; iteration < 150; ++iteration) {
    double largest = 0;
    for (const double g : gradient) largest = std::max(largest, std::abs(g));
    if (largest < 1e-4) break;
    Vector direction = gradient, alpha(steps.size());
    for (size_t i = steps.size(); i-- > 0;) {
      alpha[i] = steps[i].rho * Times(steps[i].s, direction);
      for (size_t k = 0; k < direction.size(); ++k) direction[k] -= alpha[i] * steps[i].y[k];
    }
    const double scale = steps.empty()
                             ? 1 / std::max(1.0, std::sqrt(Times(gradient, gradient)))
                             : 1 / (steps.back().rho * Times(steps.back().y, steps.back().y));
    for (double& d : direction) d *= scale;
    for (size_t i = 0; i < steps.size(); ++i) {
      const double beta = steps[i].rho * Times(steps[i].y, direction);
      for (size_t k = 0; k < direction.size(); ++k) {
        direction[k] += steps[i].s[k] * (alpha[i] - beta);
      }
    }
    const double slope = -Times(gradient, direction);
    if (slope >= 0) {
      steps.clear();
      continue;
    }
    double length = 1, next_value = 0;
    Vector next;
    bool found = false;
    for (int halving = 0; halving < 20 && !found; ++halving, length /= 2) {
      next = weights_;
      for (size_t k = 0; k < next.size(); ++k) next[k] -= length * direction[k];
      next_value = loss(next, next_gradient);
      found = next_value <= value + 1e-4 * length * slope;
    }
    if (!found) break;
    Step step{Vector(next.size()), Vector(next.size()), 0};
    for (size_t k = 0; k < next.size(); ++k) {
      step.s[k] = next[k] - weights_[k];
      step.y[k] = next_gradient[k] - gradient[k];
    }
    const double curvature = Times(step.s, step.y);
    if (curvature > 1e-12) {
      step.rho = 1 / curvature;
      steps.push_back(std::move(step));
      if (steps.size() > 10) steps.pop_front();
    }
    const bool flat = value - next_value < 1e-7 * std::max(1.0, std::abs(value));
    weights_ = std::move(next);
    gradient = next_gradient;
    value = next_value;
    if (flat) break;
  }
}

std::vector<float> Probe::Probabilities(const Features& features) const {
  const std::vector<float> padded = Padded(weights_, size_);
  std::vector<float> all(features.count() * kClasses);
  for (size_t row = 0; row < features.count(); ++row) {
    float scores[kWide];
    Scores(features.at(row), padded.data(), size_, scores);
    Softmax(seen_, scores);
    std::copy_n(scores, kClasses, &all[row * kClasses]);
  }
  return all;
}

}  // namespace gleaner::bench
