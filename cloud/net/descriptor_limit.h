// How many files and connections the process may have open at once (RLIMIT_NOFILE).
#pragma once

#include <cstddef>

#include "absl/status/status.h"

namespace gleaner::cloud {

// As many as the system lets this process have, up to a million: the usual default of 1,024 exists
// for programs that use select(2). Once, from main; whatever is started later inherits it.
absl::Status RaiseDescriptorLimit();

size_t DescriptorLimit();

}  // namespace gleaner::cloud
