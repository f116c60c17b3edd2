// The filter language: terms of the form key:value that must all hold. See ListClipsRequest.filter in catalog.proto for the grammar.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace gleaner::cloud {

struct FilterTerm {
  enum class Key { kDevice, kSite, kTrigger, kCamera, kCodec, kAfter, kBefore, kMedia, kId };
  Key key;
  bool negated = false;
  std::vector<std::string> values;  // any of them; after and before have none
  int64_t unix_ns = 0;              // after and before
};

struct Filter {
  std::vector<FilterTerm> terms;
};

// `now_unix_ns` resolves spans such as after:2h. INVALID_ARGUMENT with the column and what would be right.
absl::StatusOr<Filter> ParseFilter(std::string_view text, int64_t now_unix_ns);

}  // namespace gleaner::cloud
