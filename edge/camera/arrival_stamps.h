// Stamps for frames whose own are of no use: the times at which they came, smoothed.
//
// A counter goes on by one frame's length for each frame, and is pulled towards the arrivals: a
// phase-locked loop of the second order, so that it learns how long a frame lasts. Where it is
// further off than any jitter it goes along with the arrivals.
#pragma once

#include <cstdint>

namespace gleaner::edge {

// In nanoseconds. Not thread-safe.
class ArrivalStamps {
 public:
  // How far a stamp is off from its arrival at most.
  static constexpr int64_t kMaxErrorNs = 500'000'000;

  explicit ArrivalStamps(int64_t frame_ns) : frame_ns_(frame_ns) {}

  // Of the next frame in decode order; later than the one before.
  int64_t Next(int64_t arrival_ns);

 private:
  int64_t frame_ns_;
  int64_t last_ns_ = 0;
  bool started_ = false;
};

}  // namespace gleaner::edge
