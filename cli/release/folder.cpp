#include "cli/release/folder.h"

#include <fmt/format.h>

#include "common/printable.h"
#include "common/status.h"

namespace gleaner::cli {

bool IsAddress(const std::string& text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

absl::Status CheckFolder(const std::string& folder) {
  if (!IsAddress(folder)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} is an address, and this takes the repository's folder; `gleaner release "
                  "verify` takes addresses",
                  Printable(folder)));
}

absl::StatusOr<tuf::Repository> OpenFolder(const std::string& folder) {
  RETURN_IF_ERROR(CheckFolder(folder));
  return tuf::Repository::Open(folder);
}

}  // namespace gleaner::cli
