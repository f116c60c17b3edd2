// Cameras whose pictures came damaged, and for how long that is news.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "gleaner/v1/fleet.pb.h"

namespace gleaner::cloud {

// Thread-safe; blocks. Errors as Database.
class CameraDamage {
 public:
  // `database` must outlive it.
  explicit CameraDamage(Database& database) : database_(database) {}

  // A clip of a device's camera came with so many damaged frames (all of them, where none decodes).
  absl::Status Record(std::string_view device, std::string_view camera, uint64_t frames,
                      int64_t unix_ns);
  // What to tell a device of its cameras: those whose pictures came damaged within the last hour.
  absl::StatusOr<std::vector<v1::CameraNotice>> Notices(std::string_view device, int64_t unix_ns);

 private:
  Database& database_;
};

}  // namespace gleaner::cloud
