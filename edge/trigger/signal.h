// A signal is a named series of values on the device's monotonic time: what detectors and sensors
// say, and what rules read.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace gleaner::edge {

// The value holds from `monotonic_ns` until the next sample of the same signal.
struct SignalSample {
  // Qualified: "camera.<camera>.<detector>", for example "camera.front.motion". A rule may write
  // just "motion", which then means the greatest value over all cameras.
  std::string name;
  int64_t monotonic_ns = 0;
  double value = 0;
  // The value is stale, and the signal without a value, once it has held this long: a camera that
  // was lost in the middle of motion must not hold its rule true. 0: a value never goes stale.
  int64_t valid_ns = 0;
};

// What a signal's values can be, both ends included.
struct ValueRange {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

// Receives samples; per signal in order of time. Not thread-safe unless it says so.
class SampleSink {
 public:
  virtual ~SampleSink() = default;
  virtual void OnSample(const SignalSample& sample) = 0;
};

}  // namespace gleaner::edge
