// The folder that a command works on, told from the address that it is served at.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tuf/repository.h"

namespace gleaner::cli {

// "https://models.example.com/releases".
bool IsAddress(const std::string& text);

// INVALID_ARGUMENT if `folder` is an address.
absl::Status CheckFolder(const std::string& folder);

// CheckFolder, then tuf::Repository::Open.
absl::StatusOr<tuf::Repository> OpenFolder(const std::string& folder);

}  // namespace gleaner::cli
