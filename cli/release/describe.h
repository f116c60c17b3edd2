// What is told after a command has changed a repository.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/tuf/repository.h"

namespace gleaner::cli {

// "root 2, targets 5: 1 of 2 signatures": each draft and what it waits for.
absl::Status PrintDrafts(const tuf::Repository& repository, bool json);

// "2027-11-30 05:20:00 in the reader's time zone".
std::string ExpiryText(int64_t unix_s);

// INVALID_ARGUMENT, naming the option, unless 1 ≤ `value` ≤ `most`.
absl::Status CheckSpan(const char* option, uint32_t value, uint32_t most);

}  // namespace gleaner::cli
