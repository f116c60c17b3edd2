#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "cli/clip_id.h"
#include "cli/commands.h"
#include "cli/download.h"
#include "cli/filter.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "common/file.h"
#include "common/message_json.h"
#include "common/name.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"
#include "gleaner/v1/frames.pb.h"

namespace gleaner::cli {
namespace {

constexpr size_t kMaxPictureBytes = 64 << 20;

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

absl::StatusOr<v1::ListFramesResponse> FindFrames(Client& client,
                                                  const ListFramesOptions& options) {
  v1::ListFramesRequest request;
  request.set_filter(options.filter);
  if (!options.clip.empty()) {
    ASSIGN_OR_RETURN(const std::string clip, FindClipId(client, options.clip));
    request.set_clip(clip);
  }
  auto all = ReadPages(client, "FrameService/ListFrames", request,
                       &v1::ListFramesResponse::mutable_frames, options.limit);
  if (!all.ok()) return PointAt(options.filter, all.status());
  return all;
}

void PrintNone(const ListFramesOptions& options) {
  const bool any = options.filter.empty() && options.clip.empty();
  fmt::print("No frames{}.\n", any ? " yet" : " match this");
}

// Of one frame, at full size or as a thumbnail.
absl::StatusOr<std::string> FetchPicture(Client& client, const v1::FrameId& id, bool thumbnail) {
  std::string bytes;
  absl::Status got = client.Get(fmt::format("/frames/{}/{}/{}/{}", id.clip(), id.camera(), id.pts(),
                                            thumbnail ? "thumbnail" : "picture"),
                                0, [&](const char* data, size_t size) {
                                  bytes.append(data, size);
                                  return bytes.size() <= kMaxPictureBytes;
                                });
  if (absl::IsCancelled(got)) got = absl::DataLossError("the picture is longer than one may be");
  RETURN_IF_ERROR(got);
  return bytes;
}

}  // namespace

absl::Status ListFrames(Client& client, const ListFramesOptions& options) {
  ASSIGN_OR_RETURN(const v1::ListFramesResponse all, FindFrames(client, options));
  if (options.json) return PrintJsonText(ToJson(all));
  if (all.frames().empty()) {
    PrintNone(options);
    return absl::OkStatus();
  }
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
  fmt::print("{}", table.Render());
  return absl::OkStatus();
}

absl::Status GetFrames(Client& client, const GetFramesOptions& options) {
  ASSIGN_OR_RETURN(const v1::ListFramesResponse all, FindFrames(client, options.which));
  if (all.frames().empty() && !options.which.json) PrintNone(options.which);
  auto files = nlohmann::ordered_json::array();
  uint64_t failed = 0;
  for (const v1::Frame& frame : all.frames()) {
    const v1::FrameId& id = frame.id();
    // The names come from the server, and none may lead out of the folder.
    if (!IsName(id.camera()) || !IsName(id.clip())) {
      return absl::DataLossError("the server tells of a frame whose clip or camera is no name");
    }
    const std::filesystem::path folder = std::filesystem::path(options.directory) / id.clip();
    const std::string to = folder / fmt::format("{}-{}.jpg", id.camera(), id.pts());
    RETURN_IF_ERROR(MakeDirectories(folder, 0755));
    const auto bytes = FetchPicture(client, id, options.thumbnails);
    const absl::Status got =
        bytes.ok() ? Put(to, *bytes, options.overwrite).status() : bytes.status();
    nlohmann::ordered_json file = {{"clip", id.clip()},
                                   {"camera", id.camera()},
                                   {"pts", std::to_string(id.pts())},
                                   {"file", to}};
    if (!got.ok()) {
      ++failed;
      file["error"] = nlohmann::ordered_json::parse(ErrorJson(got));
      if (!options.which.json) fmt::print(stderr, "gleaner: {}: {}\n", to, Message(got));
    } else if (!options.which.json) {
      fmt::print("{}  {}\n", to, HumanBytes(bytes->size()));
      std::fflush(stdout);
    }
    files.push_back(std::move(file));
  }
  if (options.which.json) PrintJson(nlohmann::ordered_json{{"frames", files}});
  if (failed == 0) return absl::OkStatus();
  return absl::UnavailableError(
      fmt::format("{} of {} could not be had, as is said above", failed,
                  Count(static_cast<uint64_t>(all.frames_size()), "picture")));
}

}  // namespace gleaner::cli
