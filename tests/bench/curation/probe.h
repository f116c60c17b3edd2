// The learner: multinomial logistic regression with a little L2 (C = 0.1) on the frozen embedding,
// standardised over the pool; L-BFGS.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/bench/curation/fashion.h"

namespace gleaner::bench {

// Rows of numbers of mean 0 and deviation 1, with a 1 behind them.
struct Features {
  size_t size = 0;  // with the 1
  std::vector<float> rows;

  size_t count() const { return rows.size() / size; }
  const float* at(size_t row) const { return &rows[row * size]; }
};

// Both by the pool's mean and deviation.
struct Standardised {
  Features pool, test;
};
Standardised Standardise(const std::vector<float>& pool, const std::vector<float>& test,
                         size_t size);

class Probe {
 public:
  explicit Probe(size_t size) : size_(size), weights_(size * kClasses, 0) {}

  // From where it was left.
  void Fit(const Features& features, const std::vector<size_t>& rows,
           const std::vector<uint8_t>& labels);
  // kClasses a row, sums of 1. Classes that it never saw are at 0.
  std::vector<float> Probabilities(const Features& features) const;

 private:
  const size_t size_;
  std::vector<double> weights_;  // kClasses a feature
  bool seen_[kClasses] = {};
};

}  // namespace gleaner::bench
