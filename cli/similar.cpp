#include <fmt/format.h>

#include <charconv>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "cli/clip_id.h"
#include "cli/commands.h"
#include "cli/filter.h"
#include "cli/json.h"
#include "common/message_json.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "gleaner/v1/similar.pb.h"

namespace gleaner::cli {
namespace {

absl::StatusOr<v1::FrameId> FindFrame(Client& client, const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  v1::FrameId id;
  int64_t pts = 0;
  const auto is_number = [&](const std::string& part) {
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), pts);
    return error == std::errc() && end == part.data() + part.size();
  };
  if (parts.size() != 3 || parts[1].empty() || !is_number(parts[2])) {
    return absl::InvalidArgumentError(
        fmt::format("{} is no frame: write CLIP/CAMERA/PTS, as 'gleaner frames list' has them",
                    Printable(text)));
  }
  ASSIGN_OR_RETURN(const std::string clip, FindClipId(client, parts[0]));
  id.set_clip(clip);
  id.set_camera(parts[1]);
  id.set_pts(pts);
  return id;
}

}  // namespace

absl::Status ShowSimilar(Client& client, const SimilarOptions& options) {
  v1::FindSimilarRequest request;
  ASSIGN_OR_RETURN(*request.mutable_frame(), FindFrame(client, options.frame));
  request.set_model(options.model);
  request.set_filter(options.filter);
  request.set_limit(options.limit);
  request.set_distinct(options.distinct);
  v1::FindSimilarResponse response;
  const absl::Status asked = client.Call("SimilarService/FindSimilar", request, &response);
  if (!asked.ok()) return PointAt(options.filter, asked);
  if (options.json) return PrintJsonText(ToJson(response));
  Table table({{"SCORE", true},
               {"CLIP"},
               {"CAMERA"},
               {"PTS", true},
               {"DEVICE"},
               {"SITE"},
               {"CLUSTER", true}});
  for (const v1::SimilarFrame& one : response.frames()) {
    const v1::Frame& frame = one.frame();
    table.Add({fmt::format("{:.3f}", one.score()), Printable(frame.id().clip()),
               Printable(frame.id().camera()), std::to_string(frame.id().pts()),
               Printable(frame.device()), Printable(frame.site()),
               one.cluster() == 0 ? "" : std::to_string(one.cluster())});
  }
  if (table.empty()) {
    fmt::print("No frame is like it{}.\n", options.filter.empty() ? " yet" : " and matches this");
  } else {
    fmt::print("{}", table.Render());
  }
  return absl::OkStatus();
}

}  // namespace gleaner::cli
