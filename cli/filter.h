// Mistakes in a filter, for people.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace gleaner::cli {

// An INVALID_ARGUMENT of the server's that names a column ("column 8: …") with the filter below it
// and a caret under that column; any other status as it is.
absl::Status PointAt(const std::string& filter, const absl::Status& status);

}  // namespace gleaner::cli
