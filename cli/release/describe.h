// What is told of a repository: the drafts and what each changes, files, times.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tuf/repository.h"

namespace gleaner::cli {

// Each draft: what it waits for, what it changes of what is published, who signed it and who else
// may. As a table with a paragraph a draft, or {"drafts": […]}.
absl::Status PrintDrafts(const tuf::Repository& repository, bool json);
absl::StatusOr<std::string> DraftsText(const tuf::Repository& repository);
// The array.
absl::StatusOr<nlohmann::ordered_json> DraftsJson(const tuf::Repository& repository);

// As much of a key's id as people compare, and as `--retire` takes.
std::string ShortId(const std::string& id);

// "2027-11-30 05:20:00 in the reader's time zone".
std::string ExpiryText(int64_t unix_s);

// {"path", "length", "sha256", "custom"}.
nlohmann::ordered_json TargetJson(const tuf::Target& target);
// A table of the files that are released; "No targets.\n" if there are none.
std::string TargetsText(const tuf::Targets& targets);

// INVALID_ARGUMENT, naming the option, unless 1 ≤ `value` ≤ `most`.
absl::Status CheckSpan(const char* option, uint32_t value, uint32_t most);

}  // namespace gleaner::cli
