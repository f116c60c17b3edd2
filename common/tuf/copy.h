// A released file on its way into the repository.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/tuf/metadata.h"

namespace gleaner::tuf {

// Copies `file` to its RemotePath() below `folder`, under another name until it is there whole, and
// puts its length and SHA-256 into `target`.
absl::Status CopyTarget(const std::string& file, const std::string& folder, Target* target);

}  // namespace gleaner::tuf
