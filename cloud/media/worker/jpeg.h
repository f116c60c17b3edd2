// A decoded frame as JPEG: small, or whole.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/turn.h"

struct AVFrame;

namespace gleaner::cloud::media {

// kThumbnailWidth wide, height by the frame's own ratio once it is turned upright by `turn` (at
// most kMaxThumbnailHeight, both even).
absl::StatusOr<std::string> MakeThumbnail(const AVFrame& frame, Turn turn);

// Turned upright, in its own size or that which fits into `max_side` (picture_size.h), as good as
// JPEG is within `max_bytes`.
absl::StatusOr<std::string> MakePicture(const AVFrame& frame, Turn turn, uint32_t max_side,
                                        size_t max_bytes);

}  // namespace gleaner::cloud::media
