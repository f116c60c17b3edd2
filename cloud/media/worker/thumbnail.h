// A decoded frame, small, as JPEG.
#pragma once

#include <string>

#include "absl/status/statusor.h"

struct AVFrame;

namespace gleaner::cloud::media {

// kThumbnailWidth wide, height by the frame's own ratio (at most kMaxThumbnailHeight, both even).
absl::StatusOr<std::string> MakeThumbnail(const AVFrame& frame);

}  // namespace gleaner::cloud::media
