#include "cloud/frames/frame_facts.h"

#include <fmt/format.h>

#include "cloud/search/filter_sql.h"
#include "common/status.h"

namespace gleaner::cloud {

absl::Status ReadFrameFacts(Sql& sql, const std::vector<std::string>& clips, const Filter& filter,
                            const std::function<void(const FrameFacts&)>& each) {
  if (clips.empty()) return absl::OkStatus();
  Parameters parameters;
  ASSIGN_OR_RETURN(const std::string condition,
                   FilterCondition(sql, filter, FilterOf::kFrames, parameters));
  std::string query = fmt::format(
      "SELECT clip.id, frame_video.camera, frame.pts, clip.device, clip.site, clip.rule, "
      "clip.fired_ns, frame.taken_ns, frame_video.width, frame_video.height, frame.phash FROM "
      "frame JOIN frame_video ON frame_video.arrival = frame.arrival AND frame_video.position = "
      "frame.position JOIN clip ON clip.arrival = frame.arrival WHERE {} AND clip.id IN (",
      condition);
  for (size_t i = 0; i < clips.size(); ++i) {
    query += (i == 0 ? "" : ", ") + parameters.NextName();
    parameters.Add(clips[i]);
  }
  query += ")";
  FrameFacts one;
  sql.QueryOnce(query, parameters,
                Out(one.name.clip, one.name.camera, one.name.pts, one.device, one.site, one.rule,
                    one.fired_ns, one.taken_ns, one.width, one.height, one.phash),
                [&] { each(one); });
  return absl::OkStatus();
}

}  // namespace gleaner::cloud
