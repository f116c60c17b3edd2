#include "cli/release/changes.h"

#include <algorithm>
#include <map>

namespace gleaner::cli {
namespace {

// What of `ids` is not among `others`.
std::vector<std::string> Without(const std::vector<std::string>& ids,
                                 const std::vector<std::string>& others) {
  std::vector<std::string> left;
  for (const std::string& id : ids) {
    if (std::find(others.begin(), others.end(), id) == others.end()) left.push_back(id);
  }
  return left;
}

}  // namespace

std::vector<RoleChange> Changes(const std::optional<tuf::Signed<tuf::Root>>& before,
                                const tuf::Root& draft) {
  std::vector<RoleChange> changes;
  for (const tuf::Role role : tuf::kRoles) {
    const tuf::RoleKeys& now = draft.Of(role);
    const tuf::RoleKeys then =
        before.has_value() ? before->content.Of(role) : tuf::RoleKeys{.threshold = 0};
    RoleChange change{.role = role,
                      .keys_added = Without(now.key_ids, then.key_ids),
                      .keys_removed = Without(then.key_ids, now.key_ids),
                      .threshold = now.threshold,
                      .threshold_before = then.threshold};
    if (change.keys_added.empty() && change.keys_removed.empty() &&
        change.threshold == change.threshold_before) {
      continue;
    }
    changes.push_back(std::move(change));
  }
  return changes;
}

std::vector<FileChange> Changes(const std::optional<tuf::Signed<tuf::Targets>>& before,
                                const tuf::Targets& draft) {
  const std::map<std::string, tuf::Target> none;
  const auto& then = before.has_value() ? before->content.targets : none;
  std::vector<FileChange> changes;
  for (const auto& [path, target] : then) {
    const auto now = draft.targets.find(path);
    if (now != draft.targets.end() && now->second == target) continue;
    changes.push_back({.added = false, .target = target});
  }
  for (const auto& [path, target] : draft.targets) {
    const auto old = then.find(path);
    if (old != then.end() && old->second == target) continue;
    changes.push_back({.added = true, .target = target});
  }
  std::stable_sort(changes.begin(), changes.end(), [](const FileChange& a, const FileChange& b) {
    return a.target.path < b.target.path;
  });
  return changes;
}

}  // namespace gleaner::cli
