// A decoded frame as JPEG: small, or whole.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/turn.h"

struct AVFrame;

namespace gleaner::cloud::media {

// kThumbnailWidth wide, height by the frame's own ratio once it is turned upright by `turn` (at
// most kMaxThumbnailHeight, both even).
absl::StatusOr<std::string> MakeThumbnail(const AVFrame& frame, Turn turn);

// In its own size, turned upright, as good as JPEG is within kMaxPictureBytes.
absl::StatusOr<std::string> MakePicture(const AVFrame& frame, Turn turn);

}  // namespace gleaner::cloud::media
