// A picture's brightness at the size that motion is looked for in: at most 320×180, the sides in
// proportion.
#pragma once

#include <opencv2/core/mat.hpp>

struct AVFrame;

namespace gleaner::edge {

// Writes the reduced 8-bit luma of `frame` to `out` in one pass over the frame's own luma, each
// cell the mean of its pixels; colour is never converted at full size. False, with `out` untouched,
// for a pixel format without luma that can be read in place (hardware surfaces, palettes).
bool ReduceLuma(const AVFrame& frame, cv::Mat& out);

}  // namespace gleaner::edge
