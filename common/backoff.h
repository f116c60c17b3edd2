// Exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", AWS
// Architecture Blog, 2015): wait a uniform random time in [0, min(cap, base · 2^n)].
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>

namespace gleaner {

// Not thread-safe. Seeded by the caller, so that tests repeat and a fleet doesn't march in step.
class Backoff {
 public:
  Backoff(int64_t base_ns, int64_t cap_ns, uint64_t seed)
      : base_ns_(base_ns), cap_ns_(cap_ns), random_(seed) {}

  // The next wait; each one doubles the bound up to the cap.
  int64_t NextNs() {
    const int64_t wait_ns = NthNs(attempt_);
    if (attempt_ < kMaxDoublings) ++attempt_;
    return wait_ns;
  }
  // The wait after `attempts` others, counted by somebody else.
  int64_t NthNs(int attempts) {
    const int64_t bound = std::min(cap_ns_, base_ns_ << std::min(attempts, kMaxDoublings));
    return std::uniform_int_distribution<int64_t>(0, bound)(random_);
  }
  // After a success.
  void Reset() { attempt_ = 0; }

 private:
  static constexpr int kMaxDoublings = 20;
  const int64_t base_ns_;
  const int64_t cap_ns_;
  int attempt_ = 0;
  std::mt19937_64 random_;
};

}  // namespace gleaner
