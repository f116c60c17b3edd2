#include "edge/clip/recent_samples.h"

#include <algorithm>

#include "common/clock.h"

namespace gleaner::edge {
namespace {

// How far before its start a clip's keyframe may be.
constexpr int64_t kSlackNs = 60 * kNanosPerSecond;
// A trim walks over all signals.
constexpr uint64_t kSamplesATrim = 256;

}  // namespace

void RecentSamples::Add(const SignalSample& sample) {
  std::lock_guard lock(mutex_);
  history_.Add(sample);
  if (++added_ % kSamplesATrim == 0) {
    history_.Trim(std::min(sample.monotonic_ns - pre_roll_ns_, kept_start_ns_) - kSlackNs);
  }
}

void RecentSamples::KeepFor(int64_t start_ns) {
  std::lock_guard lock(mutex_);
  kept_start_ns_ = start_ns;
}

SampleHistory RecentSamples::For(int64_t start_ns) const {
  std::lock_guard lock(mutex_);
  return history_.Since(start_ns - kSlackNs);
}

}  // namespace gleaner::edge
