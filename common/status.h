// Errors are absl::Status; these make the common cases short.
#pragma once

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gleaner {

// "open /var/lib/gleaner/spool.db: Permission denied", with the status code that fits `error` (an
// errno value).
absl::Status ErrnoStatus(int error, std::string_view what);

// The message as a std::string_view. Debian builds Abseil for C++14, so absl::string_view is a type
// of its own there: this code base uses std::string_view everywhere and fmt for text, and Abseil
// for Status, StatusOr and containers.
inline std::string_view Message(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

// The same status with "`what`: " before its message.
absl::Status Annotate(const absl::Status& status, std::string_view what);

}  // namespace gleaner

#define GLEANER_CONCAT_INNER(a, b) a##b
#define GLEANER_CONCAT(a, b) GLEANER_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expression)                                         \
  do {                                                                      \
    if (absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

// ASSIGN_OR_RETURN(auto file, OpenFile(path));
#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_INNER(GLEANER_CONCAT(result_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_INNER(result, target, expression) \
  auto result = (expression);                              \
  if (!result.ok()) return std::move(result).status();     \
  target = *std::move(result)
