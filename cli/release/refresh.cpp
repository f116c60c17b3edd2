#include <fmt/format.h>

#include <algorithm>

#include "cli/json.h"
#include "cli/release/describe.h"
#include "cli/release/folder.h"
#include "cli/release/published.h"
#include "cli/release/release.h"
#include "common/status.h"
#include "common/table.h"
#include "common/tuf/repository.h"

namespace gleaner::cli {

using nlohmann::ordered_json;
using tuf::Role;

absl::Status RefreshRepository(const RefreshOptions& options, const Clock& clock) {
  RETURN_IF_ERROR(CheckSpan("--timestamp-hours", options.timestamp_hours, 24 * kMaxDays));
  RETURN_IF_ERROR(CheckSpan("--snapshot-days", options.snapshot_days, kMaxDays));
  ASSIGN_OR_RETURN(tuf::Repository repository, OpenFolder(options.repository));
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
  ASSIGN_OR_RETURN(const std::vector<PublishedRole> rows, PublishedRoles(repository));
  const auto is_new = [&](Role role) {
    return std::find(published.begin(), published.end(), role) != published.end();
  };
  if (options.json) {
    ordered_json all{{"published", ordered_json::array()}};
    for (const PublishedRole& row : rows) {
      if (!is_new(row.role)) continue;
      all["published"].push_back({{"role", NameOf(row.role)},
                                  {"version", row.version},
                                  {"expires", tuf::WriteTime(row.expires_unix_s)}});
    }
    PrintJson(all);
    return absl::OkStatus();
  }
  Table table({{"PUBLISHED"}, {"VERSION", true}, {"EXPIRES"}});
  for (const PublishedRole& row : rows) {
    if (!is_new(row.role)) continue;
    table.Add({std::string(NameOf(row.role)), std::to_string(row.version),
               ExpiryText(row.expires_unix_s)});
  }
  fmt::print("{}", table.Render());
  ASSIGN_OR_RETURN(const auto drafts, repository.Drafts());
  return drafts.empty() ? absl::OkStatus() : PrintDrafts(repository, false);
}

}  // namespace gleaner::cli
