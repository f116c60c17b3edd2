// Lists in pages, newest first, by the number of the last row that was shown.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/statusor.h"

namespace gleaner::cloud {

inline uint32_t PageSize(uint32_t wanted) {
  return wanted == 0 ? 60 : std::min<uint32_t>(wanted, 500);
}

// Below which number the page begins. INVALID_ARGUMENT for a token that isn't one.
inline absl::StatusOr<int64_t> PageBefore(const std::string& token) {
  int64_t before = std::numeric_limits<int64_t>::max();
  if (token.empty()) return before;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), before);
  if (error == std::errc() && end == token.data() + token.size()) return before;
  return absl::InvalidArgumentError("page_token: not one that this server gave");
}

}  // namespace gleaner::cloud
