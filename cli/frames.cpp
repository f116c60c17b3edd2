#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "cli/clip_id.h"
#include "cli/commands.h"
#include "cli/filter.h"
#include "cli/json.h"
#include "common/message_json.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"
#include "gleaner/v1/frames.pb.h"

namespace gleaner::cli {
namespace {

constexpr uint32_t kPageSize = 500;

// In the words of the filter language: "firing,peak".
std::string ReasonsOf(const v1::Frame& frame) {
  std::string words;
  for (const int reason : frame.reasons()) {
    const std::string& name = v1::Frame::Reason_Name(static_cast<v1::Frame::Reason>(reason));
    const std::string word = absl::AsciiStrToLower(absl::StripPrefix(name, "REASON_"));
    if (word.empty()) continue;  // one that this program doesn't know
    words += (words.empty() ? "" : ",") + word;
  }
  return words;
}

std::string BackgroundOf(const v1::Frame& frame) {
  switch (frame.background()) {
    case v1::Frame::BACKGROUND_YES:
      return "yes";
    case v1::Frame::BACKGROUND_NO:
      return "no";
    default:
      return "unknown";
  }
}

}  // namespace

absl::Status ListFrames(Client& client, const ListFramesOptions& options) {
  v1::ListFramesRequest request;
  request.set_filter(options.filter);
  if (!options.clip.empty()) {
    ASSIGN_OR_RETURN(const std::string clip, FindClipId(client, options.clip));
    request.set_clip(clip);
  }
  v1::ListFramesResponse all;
  uint32_t left = options.limit == 0 ? std::numeric_limits<uint32_t>::max() : options.limit;
  do {
    request.set_page_size(std::min(left, kPageSize));
    v1::ListFramesResponse page;
    const absl::Status asked = client.Call("FrameService/ListFrames", request, &page);
    if (!asked.ok()) return PointAt(options.filter, asked);
    request.set_page_token(page.next_page_token());
    left -= std::min(left, static_cast<uint32_t>(page.frames_size()));
    all.mutable_frames()->MergeFrom(page.frames());
  } while (left > 0 && !request.page_token().empty());
  if (options.json) return PrintJsonText(ToJson(all));
  Table table({{"CLIP"},
               {"CAMERA"},
               {"PTS", true},
               {"AT", true},
               {"CHOSEN FOR"},
               {"SHARPNESS", true},
               {"EXPOSURE", true},
               {"BLOCKED", true},
               {"MOTION", true},
               {"BACKGROUND"},
               {"HASH"}});
  const auto share = [](double value) { return fmt::format("{:.2f}", value); };
  for (const v1::Frame& frame : all.frames()) {
    table.Add({Printable(frame.id().clip()), Printable(frame.id().camera()),
               std::to_string(frame.id().pts()), fmt::format("{:.2f} s", frame.offset_s()),
               ReasonsOf(frame), share(frame.sharpness()), share(frame.exposure()),
               share(frame.blocked()), share(frame.motion()), BackgroundOf(frame),
               fmt::format("{:016x}", frame.phash())});
  }
  if (table.empty()) {
    const bool any = options.filter.empty() && options.clip.empty();
    fmt::print("No frames{}.\n", any ? " yet" : " match this");
  } else {
    fmt::print("{}", table.Render());
  }
  return absl::OkStatus();
}

}  // namespace gleaner::cli
