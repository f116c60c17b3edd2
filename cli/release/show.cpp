// What a repository publishes, and what waits in it to be published.
#include <fmt/format.h>

#include "cli/json.h"
#include "cli/release/describe.h"
#include "cli/release/folder.h"
#include "cli/release/published.h"
#include "cli/release/release.h"
#include "common/status.h"
#include "common/table.h"

namespace gleaner::cli {
namespace {

using nlohmann::ordered_json;
using tuf::Role;

const PublishedRole* Find(const std::vector<PublishedRole>& roles, Role role) {
  for (const PublishedRole& one : roles) {
    if (one.role == role) return &one;
  }
  return nullptr;
}

// Roles that the root names, and what of them is published so far.
ordered_json RolesJson(const tuf::Root& root, const std::vector<PublishedRole>& published) {
  ordered_json all = ordered_json::array();
  for (const Role role : tuf::kRoles) {
    ordered_json one{{"role", NameOf(role)},
                     {"keys", root.Of(role).key_ids},
                     {"threshold", root.Of(role).threshold}};
    if (const PublishedRole* row = Find(published, role)) {
      one["version"] = row->version;
      one["expires"] = tuf::WriteTime(row->expires_unix_s);
    }
    all.push_back(std::move(one));
  }
  return all;
}

std::string RolesText(const tuf::Root& root, const std::vector<PublishedRole>& published) {
  Table table({{"ROLE"}, {"VERSION", true}, {"EXPIRES"}, {"SIGNED BY"}, {"KEYS"}});
  for (const Role role : tuf::kRoles) {
    const tuf::RoleKeys& keys = root.Of(role);
    std::string ids;
    for (const std::string& id : keys.key_ids) ids += (ids.empty() ? "" : " ") + ShortId(id);
    const PublishedRole* row = Find(published, role);
    table.Add({std::string(NameOf(role)), row == nullptr ? "-" : std::to_string(row->version),
               row == nullptr ? "-" : ExpiryText(row->expires_unix_s),
               fmt::format("{} of {}", keys.threshold, keys.key_ids.size()), ids});
  }
  return table.Render();
}

}  // namespace

absl::Status ShowRepository(const std::string& folder, bool json) {
  ASSIGN_OR_RETURN(const tuf::Repository repository, OpenFolder(folder));
  ASSIGN_OR_RETURN(const std::vector<PublishedRole> published, PublishedRoles(repository));
  ASSIGN_OR_RETURN(const auto root, repository.PublishedRoot());
  ASSIGN_OR_RETURN(const auto targets, repository.PublishedTargets());
  if (json) {
    ASSIGN_OR_RETURN(ordered_json drafts, DraftsJson(repository));
    ordered_json all{{"roles", ordered_json::array()}, {"targets", ordered_json::array()}};
    if (root.has_value()) all["roles"] = RolesJson(root->content, published);
    if (targets.has_value()) {
      for (const auto& [path, target] : targets->content.targets) {
        all["targets"].push_back(TargetJson(target));
      }
    }
    all["drafts"] = std::move(drafts);
    PrintJson(all);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const auto drafts, repository.Drafts());
  std::string text = root.has_value() ? RolesText(root->content, published)
                                      : "Nothing is published yet: sign, then refresh.\n";
  if (targets.has_value()) text += "\n" + TargetsText(targets->content);
  if (!drafts.empty()) {
    ASSIGN_OR_RETURN(const std::string waiting, DraftsText(repository));
    text += "\n" + waiting;
  }
  fmt::print("{}", text);
  return absl::OkStatus();
}

}  // namespace gleaner::cli
