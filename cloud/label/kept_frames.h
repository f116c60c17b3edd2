// The frames that something was said of, as rows of this room: they outlive a later check of their
// clip. All may throw SqlError.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/database/sql.h"
#include "cloud/frames/frames.h"
#include "gleaner/v1/frames.pb.h"

namespace gleaner::cloud {

// INVALID_ARGUMENT, beginning with `where`, for what can't be the name of a frame.
absl::Status CheckFrameId(const v1::FrameId& id, std::string_view where);

// The number of its row; 0 for one that nothing was said of, whether it is there or not.
uint64_t FindKeptFrame(Sql& sql, const v1::FrameId& id);
// The same of a frame that is there, or was when something was said of it. Else INVALID_ARGUMENT
// or NOT_FOUND, beginning with `where`.
absl::StatusOr<uint64_t> FindFrame(Sql& sql, const v1::FrameId& id, std::string_view where);
// The number of its row, which is made where there is none. INTERNAL for a frame that isn't there:
// ask first, an operation fails before it has changed anything.
absl::StatusOr<uint64_t> KeepFrame(Sql& sql, const v1::FrameId& id);

// What describes a kept frame: as it is now, or as it was when something was first said of it.
v1::Frame ReadKeptFrame(Sql& sql, uint64_t number);

}  // namespace gleaner::cloud
