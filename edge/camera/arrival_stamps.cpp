#include "edge/camera/arrival_stamps.h"

#include <algorithm>

namespace gleaner::edge {
namespace {

// Of an arrival's error: what the stamp, and what the length of a frame is corrected by.
constexpr int64_t kPhase = 16;
constexpr int64_t kLength = 512;
constexpr int64_t kLeastFrameNs = 1'000'000;

}  // namespace

int64_t ArrivalStamps::Next(int64_t arrival_ns) {
  if (!started_) {
    started_ = true;
    last_ns_ = arrival_ns;
    return arrival_ns;
  }
  const int64_t expected_ns = last_ns_ + frame_ns_;
  const int64_t error_ns = std::clamp(arrival_ns - expected_ns, -kMaxErrorNs, kMaxErrorNs);
  frame_ns_ = std::max(kLeastFrameNs, frame_ns_ + error_ns / kLength);
  const int64_t stamp_ns = std::clamp(expected_ns + error_ns / kPhase, arrival_ns - kMaxErrorNs,
                                      arrival_ns + kMaxErrorNs);
  last_ns_ = std::max(stamp_ns, last_ns_ + 1);
  return last_ns_;
}

}  // namespace gleaner::edge
