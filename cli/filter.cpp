#include "cli/filter.h"

#include <fmt/format.h>

#include <cstdlib>

#include "common/printable.h"
#include "common/status.h"
#include "common/text.h"

namespace gleaner::cli {

absl::Status PointAt(const std::string& filter, const absl::Status& status) {
  const std::string message(Message(status));
  const size_t at = message.find("column ");
  if (!absl::IsInvalidArgument(status) || at == std::string::npos) return status;
  const int column = std::atoi(message.c_str() + at + 7);
  if (column < 1 || static_cast<size_t>(column) > filter.size() + 1) return status;
  const size_t before = Printable(filter.substr(0, static_cast<size_t>(column) - 1)).size();
  return absl::InvalidArgumentError(
      fmt::format("{}\n  {}\n  {:>{}}", message, Printable(filter), "^", before + 1));
}

}  // namespace gleaner::cli
