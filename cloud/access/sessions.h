// Sessions of the page: for a token, once, the browser gets a cookie in its place.
//
// What is in the cookie is a secret of its own, so that a stolen cookie jar doesn't hold what
// scripts use. A session ends when it is closed, after 30 days, and with its token.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/access/tokens.h"

namespace gleaner::cloud {

// Thread-safe; blocks. Errors as Database, and what is named.
class Sessions {
 public:
  static constexpr int64_t kDays = 30;

  // All must outlive it.
  Sessions(Database& database, Clock& clock, Tokens& tokens)
      : database_(database), clock_(clock), tokens_(tokens) {}

  // UNAUTHENTICATED for a token that is nobody's; else what the cookie holds. Of the 100 sessions
  // that a token may have the oldest goes. Not in the audit: whoever has a token may do it at any
  // pace, and would bury what matters.
  absl::StatusOr<std::string> Begin(std::string_view token);
  // UNAUTHENTICATED where there is no such session any more.
  absl::StatusOr<Principal> WhoHas(std::string_view cookie);
  // OK also where there is none.
  absl::Status End(std::string_view cookie);

 private:
  Database& database_;
  Clock& clock_;
  Tokens& tokens_;
};

}  // namespace gleaner::cloud
