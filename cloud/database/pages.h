// Lists in pages: how long one is, and of lists that go by a row's number, newest first, where the
// next begins.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/statusor.h"

namespace gleaner::cloud {

inline constexpr uint32_t kDefaultPage = 60;
inline constexpr uint32_t kMaxPage = 500;

inline uint32_t PageSize(uint32_t wanted) {
  return wanted == 0 ? kDefaultPage : std::min(wanted, kMaxPage);
}

// The same, but INVALID_ARGUMENT for more than there may be.
inline absl::StatusOr<uint32_t> PageSizeWithin(uint32_t wanted) {
  if (wanted <= kMaxPage) return PageSize(wanted);
  return absl::InvalidArgumentError(
      fmt::format("page_size is {}, must be 1 to {}", wanted, kMaxPage));
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
