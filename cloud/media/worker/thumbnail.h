// A decoded frame, small, as JPEG.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/turn.h"

struct AVFrame;

namespace gleaner::cloud::media {

// kThumbnailWidth wide, height by the frame's own ratio once it is turned upright by `turn` (at
// most kMaxThumbnailHeight, both even). In JPEG's own colours, whatever the frame's are.
absl::StatusOr<std::string> MakeThumbnail(const AVFrame& frame, Turn turn);

}  // namespace gleaner::cloud::media
