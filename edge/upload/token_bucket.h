// Holds a stream of messages to a rate by virtual scheduling (GCRA, ITU-T I.371, annex A): each
// message pushes the time of the next one on by its own length. From rest one message goes at once;
// over any span of t seconds at most rate · t bytes and one message do, plus what `kSlackNs` allows
// for waking late.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/clock.h"

namespace gleaner::edge {

// Not thread-safe.
class TokenBucket {
 public:
  explicit TokenBucket(Clock& clock) : clock_(clock) {}

  // Bytes per second, 0 = no cap. What was already sent too early is paid off at the new rate.
  void SetRate(uint64_t bytes_per_s) {
    if (bytes_per_s == rate_) return;
    const int64_t now = clock_.MonotonicNs();
    const int64_t debt_ns = std::max<int64_t>(0, next_ns_ - now);
    if (rate_ == 0 || bytes_per_s == 0) {
      next_ns_ = now;
    } else {
      const double scale = static_cast<double>(rate_) / static_cast<double>(bytes_per_s);
      next_ns_ = now + static_cast<int64_t>(static_cast<double>(debt_ns) * scale);
    }
    rate_ = bytes_per_s;
  }
  uint64_t rate() const { return rate_; }

  // How long until the next message may go; 0 = now.
  int64_t WaitNs() const {
    return rate_ == 0 ? 0 : std::max<int64_t>(0, next_ns_ - clock_.MonotonicNs());
  }
  // A message of `bytes` goes.
  void Take(uint64_t bytes) {
    if (rate_ == 0) return;
    next_ns_ = std::max(next_ns_, clock_.MonotonicNs() - kSlackNs) +
               static_cast<int64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(rate_));
  }

 private:
  // A wait that ends late by up to this is made good by the next one.
  static constexpr int64_t kSlackNs = 20 * kNanosPerMilli;

  Clock& clock_;
  uint64_t rate_ = 0;
  int64_t next_ns_ = 0;
};

}  // namespace gleaner::edge
