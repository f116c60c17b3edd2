#include "cli/release/published.h"

#include "common/status.h"

namespace gleaner::cli {
namespace {

template <typename T>
void Add(const std::optional<tuf::Signed<T>>& published, std::vector<PublishedRole>* roles) {
  if (!published.has_value()) return;
  roles->push_back({T::kRole, published->content.version, published->content.expires_unix_s});
}

}  // namespace

absl::StatusOr<std::vector<PublishedRole>> PublishedRoles(const tuf::Repository& repository) {
  std::vector<PublishedRole> roles;
  ASSIGN_OR_RETURN(const auto root, repository.PublishedRoot());
  ASSIGN_OR_RETURN(const auto targets, repository.PublishedTargets());
  ASSIGN_OR_RETURN(const auto snapshot, repository.PublishedSnapshot());
  ASSIGN_OR_RETURN(const auto timestamp, repository.PublishedTimestamp());
  Add(root, &roles);
  Add(targets, &roles);
  Add(snapshot, &roles);
  Add(timestamp, &roles);
  return roles;
}

}  // namespace gleaner::cli
