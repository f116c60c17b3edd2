// The honest and costly way to see motion, as the measure for the cheap one: decode every frame as
// it is meant to be shown, compare its luma at 320×180 with the frame 200 ms before, with
// hysteresis. Shares no code with the detector.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/edge/trigger/video_file.h"

namespace gleaner::edge {

// [start, end) in nanoseconds.
struct Span {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
};

struct FullDecode {
  struct Point {
    int64_t monotonic_ns;
    double fraction;  // of cells that changed
  };
  std::vector<Point> points;   // one a frame
  std::vector<Span> activity;  // fraction over `on`, until below `off` for half a second
};

FullDecode DecodeFully(const VideoFile& file, double on = 0.02, double off = 0.01);

// Cuts activity into events of at most two seconds, so that a long activity counts as many.
std::vector<Span> Events(const std::vector<Span>& activity);

}  // namespace gleaner::edge
