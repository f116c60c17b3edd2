// Decoded frames in another size, for pictures that people look at.
#pragma once

#include "absl/status/statusor.h"
#include "cloud/media/worker/ffmpeg.h"
#include "common/turn.h"

namespace gleaner::cloud::media {

// `width` and `height` are those of the upright picture. In JPEG's own colours (BT.601
// in full range, ITU-T T.871), whatever the frame's are.
absl::StatusOr<Owned<AVFrame>> ScaleUpright(const AVFrame& frame, Turn turn, int width, int height);

// The frame's samples are in full range, 0 to 255; else 16 to 235.
bool IsFullRange(const AVFrame& frame);

}  // namespace gleaner::cloud::media
