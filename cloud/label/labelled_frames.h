// The frames that something was said of, as rows of this room.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "cloud/database/sql.h"
#include "cloud/frames/frames.h"
#include "gleaner/v1/frames.pb.h"

namespace gleaner::cloud {

// Whether there is such a frame, or was when something was said of it. INVALID_ARGUMENT for what
// names no frame, and NOT_FOUND, begin with `where`. May throw SqlError, as all here.
absl::Status CheckFrameIsThere(Sql& sql, const v1::FrameId& id, std::string_view where);
// The number of a frame's row, which is made where there is none. INTERNAL for a frame that isn't
// there: ask first, an operation fails before it has changed anything.
absl::StatusOr<uint64_t> KeepFrame(Sql& sql, const v1::FrameId& id);
// Its number; 0 for one that nothing was said of.
uint64_t FindKeptFrame(Sql& sql, const v1::FrameId& id);

// INVALID_ARGUMENT, beginning with `where`, for what can't be the name of a frame.
absl::Status CheckFrameId(const v1::FrameId& id, std::string_view where);

}  // namespace gleaner::cloud
