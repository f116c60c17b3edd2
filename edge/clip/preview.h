// The small JPEG that stands for a clip in a grid.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "edge/clip/ring.h"

namespace gleaner::edge {

inline constexpr int kPreviewWidth = 320;

// A JPEG, upright and at most kPreviewWidth wide, of the frame shown at `monotonic_ns`: the last
// one at or before it, or the first of all. `packets` start at a keyframe; decoding stops at the
// frame.
absl::StatusOr<std::string> MakePreview(const std::vector<StreamPacket>& packets,
                                        int64_t monotonic_ns);

}  // namespace gleaner::edge
