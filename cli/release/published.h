// What of a repository clients can have by now.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/tuf/repository.h"

namespace gleaner::cli {

struct PublishedRole {
  tuf::Role role = tuf::Role::kRoot;
  uint64_t version = 0;
  int64_t expires_unix_s = 0;
};
// Root, targets, snapshot, timestamp, without those that are not published yet.
absl::StatusOr<std::vector<PublishedRole>> PublishedRoles(const tuf::Repository& repository);

}  // namespace gleaner::cli
