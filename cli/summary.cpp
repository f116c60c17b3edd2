#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "common/message_json.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/text.h"
#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cli {

absl::Status ShowSummary(Client& client, bool json) {
  v1::GetSummaryResponse summary;
  RETURN_IF_ERROR(client.Call("CatalogService/GetSummary", v1::GetSummaryRequest(), &summary));
  if (json) return PrintJsonText(ToJson(summary));
  fmt::print("devices      {} ({} online)\n", summary.devices(), summary.devices_online());
  fmt::print("clips        {} ({})\n", summary.clips(), HumanBytes(summary.bytes()));
  fmt::print("media        {} ok, {} failed, {} pending\n", summary.media_ok(),
             summary.media_failed(), summary.clips() - summary.media_ok() - summary.media_failed());
  fmt::print("ledger gaps  {}{}\n", summary.ledger_gaps(),
             summary.ledger_gaps() == 0 ? "" : "  (see `gleaner devices`)");
  fmt::print("server       {}\n", Printable(summary.server_version()));
  return absl::OkStatus();
}

}  // namespace gleaner::cli
