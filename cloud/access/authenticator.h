// The one question behind every request of people: who shows this secret? Today tokens answer it
// (tokens.h). An identity provider (OpenID Connect) comes in here as another implementation, whose
// secrets are the ID tokens that it signed; nothing else needs to know of it.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/rpc/principal.h"

namespace gleaner::cloud {

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // UNAUTHENTICATED for a secret that is nobody's, or nobody's any more; other errors where that
  // can't be found out now. Thread-safe; may block.
  virtual absl::StatusOr<Principal> WhoShows(std::string_view secret) = 0;
};

}  // namespace gleaner::cloud
