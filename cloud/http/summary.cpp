#include "cloud/http/summary.h"

#include "cloud/clips/clips.h"
#include "cloud/database/tally.h"
#include "common/version.h"

namespace gleaner::cloud {

absl::StatusOr<v1::GetSummaryResponse> ReadSummary(Database& database, const Devices& devices,
                                                   int64_t now_unix_ns) {
  return database.Read([&](Sql& sql) -> absl::StatusOr<v1::GetSummaryResponse> {
    v1::GetSummaryResponse summary;
    ReadClipSummary(sql, &summary);
    devices.ReadSummary(sql, now_unix_ns, &summary);
    summary.set_ledger_gaps(ReadTally(sql, "gaps"));
    summary.set_server_version(std::string(Version()));
    return summary;
  });
}

}  // namespace gleaner::cloud
