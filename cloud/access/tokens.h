// Named tokens: what people and scripts show to be let in, each with a role.
//
// A token is shown once, when it is made; kept is its hash. It is looked up at every request, so a
// token that was revoked opens nothing from then on, on no server. The one in the server's
// configuration, if there is one, is an admin's beside them; it needs no database, so that /metrics
// can be had while that is away.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/access/authenticator.h"
#include "cloud/database/database.h"
#include "common/clock.h"
#include "gleaner/v1/access.pb.h"

namespace gleaner::cloud {

// Announced whenever somebody who was let in may no longer be.
inline constexpr std::string_view kTokensChanged = "access.tokens";

// Thread-safe; blocks. Errors as Database, and what is named.
class Tokens : public Authenticator {
 public:
  // What no token may be called.
  static constexpr char kConfigured[] = "config";  // the one in the configuration
  static constexpr char kLocal[] = "local";        // whoever asks where there is none

  // Both must outlive it. `configured`: empty for none.
  Tokens(Database& database, Clock& clock, std::string_view configured);

  absl::StatusOr<Principal> WhoShows(std::string_view secret) override;
  // The same by what HashOf makes of the secret.
  absl::StatusOr<Principal> HolderOf(const std::string& hash);
  // Is there any, configured or in use? While the database is away: as far as was known last.
  bool any();
  // Changes whenever a token is made or revoked or a session closed, by whichever server: what was
  // let in before and is still there looks again then.
  uint64_t changes() const { return *changes_; }

  // These two are in the audit. Errors: see access.proto.
  absl::StatusOr<v1::CreateTokenResponse> Create(const Principal& by, const std::string& name,
                                                 v1::Role role);
  absl::StatusOr<v1::Token> Revoke(const Principal& by, const std::string& name);
  absl::StatusOr<v1::ListTokensResponse> List(const v1::ListTokensRequest& request);

  // Makes an admin's token where there is none, and none is configured: its secret, or nothing.
  // Several servers may do it at once; one of them has the secret.
  absl::StatusOr<std::string> CreateFirst();
  // The name of a token that CreateFirst made, that nobody has ever shown, and without which there
  // is no admin's: whoever was to have it may have missed it. Empty where that isn't so.
  absl::StatusOr<std::string> UnusedFirst();

 private:
  Database& database_;
  Clock& clock_;
  const std::string configured_;  // its hash; empty for none
  std::atomic<bool> any_ = true;
  // Outlived by what hears announcements.
  const std::shared_ptr<std::atomic<uint64_t>> changes_;
};

}  // namespace gleaner::cloud
