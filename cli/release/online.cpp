// What a repository publishes, and what it holds.
#include <fmt/format.h>

#include "cli/json.h"
#include "cli/release/describe.h"
#include "cli/release/release.h"
#include "common/status.h"
#include "common/table.h"
#include "common/tuf/repository.h"

namespace gleaner::cli {
namespace {

using nlohmann::ordered_json;
using tuf::Role;

// A row of what is published; none for a role that isn't yet.
struct Row {
  Role role = Role::kRoot;
  uint64_t version = 0;
  int64_t expires_unix_s = 0;
};

template <typename T>
void AddRow(const std::optional<tuf::Signed<T>>& published, std::vector<Row>* rows) {
  if (!published.has_value()) return;
  rows->push_back({T::kRole, published->content.version, published->content.expires_unix_s});
}

absl::StatusOr<std::vector<Row>> Rows(const tuf::Repository& repository) {
  std::vector<Row> rows;
  ASSIGN_OR_RETURN(const auto root, repository.PublishedRoot());
  ASSIGN_OR_RETURN(const auto targets, repository.PublishedTargets());
  ASSIGN_OR_RETURN(const auto snapshot, repository.PublishedSnapshot());
  ASSIGN_OR_RETURN(const auto timestamp, repository.PublishedTimestamp());
  AddRow(root, &rows);
  AddRow(targets, &rows);
  AddRow(snapshot, &rows);
  AddRow(timestamp, &rows);
  return rows;
}

}  // namespace

absl::Status RefreshRepository(const RefreshOptions& options, const Clock& clock) {
  RETURN_IF_ERROR(CheckSpan("--timestamp-hours", options.timestamp_hours, 24 * kMaxDays));
  RETURN_IF_ERROR(CheckSpan("--snapshot-days", options.snapshot_days, kMaxDays));
  ASSIGN_OR_RETURN(tuf::Repository repository, tuf::Repository::Open(options.repository));
  std::vector<tuf::PrivateKey> keys;
  for (const std::string& file : options.keys) {
    ASSIGN_OR_RETURN(tuf::PrivateKey key, tuf::PrivateKey::Read(file));
    keys.push_back(std::move(key));
  }
  ASSIGN_OR_RETURN(const std::vector<Role> published,
                   repository.Refresh(keys,
                                      {.snapshot_s = int64_t{options.snapshot_days} * 86'400,
                                       .timestamp_s = int64_t{options.timestamp_hours} * 3'600},
                                      clock.WallNs() / kNanosPerSecond));
  ASSIGN_OR_RETURN(const std::vector<Row> rows, Rows(repository));
  const auto is_new = [&](Role role) {
    return std::find(published.begin(), published.end(), role) != published.end();
  };
  if (options.json) {
    ordered_json all{{"published", ordered_json::array()}};
    for (const Row& row : rows) {
      if (!is_new(row.role)) continue;
      all["published"].push_back({{"role", NameOf(row.role)},
                                  {"version", row.version},
                                  {"expires", tuf::WriteTime(row.expires_unix_s)}});
    }
    PrintJson(all);
    return absl::OkStatus();
  }
  Table table({{"PUBLISHED"}, {"VERSION", true}, {"EXPIRES"}});
  for (const Row& row : rows) {
    if (!is_new(row.role)) continue;
    table.Add({std::string(NameOf(row.role)), std::to_string(row.version),
               ExpiryText(row.expires_unix_s)});
  }
  fmt::print("{}", table.Render());
  ASSIGN_OR_RETURN(const auto drafts, repository.Drafts());
  return drafts.empty() ? absl::OkStatus() : PrintDrafts(repository, false);
}

absl::Status ShowRepository(const std::string& folder, bool json) {
  ASSIGN_OR_RETURN(const tuf::Repository repository, tuf::Repository::Open(folder));
  ASSIGN_OR_RETURN(const std::vector<Row> rows, Rows(repository));
  ASSIGN_OR_RETURN(const tuf::Signed<tuf::Root> root, repository.NextRoot());
  ASSIGN_OR_RETURN(const auto drafts, repository.Drafts());
  const auto row_of = [&](Role role) -> const Row* {
    for (const Row& row : rows) {
      if (row.role == role) return &row;
    }
    return nullptr;
  };
  if (json) {
    ordered_json all{{"roles", ordered_json::array()}, {"drafts", ordered_json::array()}};
    for (const Role role : tuf::kRoles) {
      ordered_json one{{"role", NameOf(role)},
                       {"keys", root.content.Of(role).key_ids},
                       {"threshold", root.content.Of(role).threshold}};
      if (const Row* row = row_of(role)) {
        one["version"] = row->version;
        one["expires"] = tuf::WriteTime(row->expires_unix_s);
      }
      all["roles"].push_back(std::move(one));
    }
    for (const auto& draft : drafts) {
      all["drafts"].push_back({{"role", NameOf(draft.role)},
                               {"version", draft.version},
                               {"complete", draft.complete()}});
    }
    PrintJson(all);
    return absl::OkStatus();
  }
  Table roles({{"ROLE"}, {"VERSION", true}, {"EXPIRES"}, {"SIGNED BY"}, {"KEYS"}});
  for (const Role role : tuf::kRoles) {
    const tuf::RoleKeys& keys = root.content.Of(role);
    std::string ids;
    for (const std::string& id : keys.key_ids) ids += (ids.empty() ? "" : " ") + id.substr(0, 12);
    const Row* row = row_of(role);
    roles.Add({std::string(NameOf(role)), row == nullptr ? "-" : std::to_string(row->version),
               row == nullptr ? "-" : ExpiryText(row->expires_unix_s),
               fmt::format("{} of {}", keys.threshold, keys.key_ids.size()), ids});
  }
  fmt::print("{}", roles.Render());
  return drafts.empty() ? absl::OkStatus() : PrintDrafts(repository, false);
}

}  // namespace gleaner::cli
