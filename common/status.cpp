#include "common/status.h"

#include <fmt/format.h>

namespace gleaner {

absl::Status ErrnoStatus(int error, std::string_view what) {
  return absl::ErrnoToStatus(error, {what.data(), what.size()});
}

absl::Status Annotate(const absl::Status& status, std::string_view what) {
  if (status.ok()) return status;
  return absl::Status(status.code(), fmt::format("{}: {}", what, Message(status)));
}

}  // namespace gleaner
