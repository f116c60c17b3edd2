#include "cli/commands.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/text.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/status.h"
#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cli {
namespace {

constexpr uint32_t kPageSize = 500;
constexpr size_t kPlotWidth = 60;

std::string StateOf(const v1::Device& device) {
  switch (device.state()) {
    case v1::Device::STATE_ONLINE:
      return "online";
    case v1::Device::STATE_OFFLINE:
      return "offline";
    case v1::Device::STATE_DEGRADED:
      return "degraded";
    default:
      return "unknown";
  }
}

std::string MediaOf(const v1::MediaCheck& media) {
  switch (media.state()) {
    case v1::MediaCheck::STATE_OK:
      return "ok";
    case v1::MediaCheck::STATE_FAILED:
      return "failed";
    default:
      return "pending";
  }
}

// The filter with a caret under the column that the server names ("column 8: …").
absl::Status PointAt(const std::string& filter, const absl::Status& status) {
  const std::string message(Message(status));
  const size_t at = message.find("column ");
  if (!absl::IsInvalidArgument(status) || at == std::string::npos) return status;
  const int column = std::atoi(message.c_str() + at + 7);
  if (column < 1 || static_cast<size_t>(column) > filter.size() + 1) return status;
  return absl::InvalidArgumentError(fmt::format("{}\n  {}\n  {:>{}}", message, Printable(filter),
                                                "^", static_cast<size_t>(column)));
}

absl::Status PrintJson(Client& client, std::string_view method,
                       const google::protobuf::Message& request) {
  ASSIGN_OR_RETURN(const std::string json, client.CallJson(method, request));
  fmt::print("{}\n", json);
  return absl::OkStatus();
}

// What an offline device last said is no rate of now.
std::string RateOf(const v1::Device& device) {
  const uint64_t rate = device.heartbeat().upload().rate_bytes_per_s();
  if (rate == 0 || device.state() == v1::Device::STATE_OFFLINE) return "-";
  return HumanBytes(rate) + "/s";
}

}  // namespace

absl::Status ShowSummary(Client& client, bool json) {
  const v1::GetSummaryRequest request;
  if (json) return PrintJson(client, "GetSummary", request);
  v1::GetSummaryResponse summary;
  RETURN_IF_ERROR(client.Call("GetSummary", request, &summary));
  fmt::print("devices      {} ({} online)\n", summary.devices(), summary.devices_online());
  fmt::print("clips        {} ({})\n", summary.clips(), HumanBytes(summary.bytes()));
  fmt::print("media        {} ok, {} failed, {} pending\n", summary.media_ok(),
             summary.media_failed(), summary.clips() - summary.media_ok() - summary.media_failed());
  fmt::print("ledger gaps  {}{}\n", summary.ledger_gaps(),
             summary.ledger_gaps() == 0 ? "" : "  (see `gleaner devices`)");
  fmt::print("server       {}\n", Printable(summary.server_version()));
  return absl::OkStatus();
}

absl::Status ListDevices(Client& client, const std::string& name, bool json) {
  v1::ListDevicesRequest request;
  request.set_name(name);
  if (json) return PrintJson(client, "ListDevices", request);
  v1::ListDevicesResponse response;
  RETURN_IF_ERROR(client.Call("ListDevices", request, &response));
  if (response.devices().empty() && !name.empty()) {
    return absl::NotFoundError(fmt::format(
        "there is no device \"{}\"; `gleaner devices` shows those there are", Printable(name)));
  }
  if (response.devices().empty()) {
    fmt::print("No device has said hello yet. Start gleaner-edge with this server's address.\n");
    return absl::OkStatus();
  }
  const int64_t now_ns = RealClock().WallNs();
  Table table({{"DEVICE"},
               {"SITE"},
               {"STATE"},
               {"SEEN"},
               {"CLIPS", true},
               {"SIZE", true},
               {"WAITING", true},
               {"UPLOAD", true},
               {"GAPS", true},
               {"VERSION"}});
  for (const v1::Device& device : response.devices()) {
    table.Add({Printable(device.name()), Printable(device.site()), StateOf(device),
               Ago(device.last_seen_unix_ns(), now_ns), fmt::format("{}", device.clips()),
               HumanBytes(device.bytes()),
               fmt::format("{}", device.heartbeat().spool().pending_clips()), RateOf(device),
               fmt::format("{}", device.ledger().gaps()),
               Printable(device.hello().software_version())});
  }
  fmt::print("{}", table.Render());
  for (const v1::Device& device : response.devices()) {
    if (!device.problem().empty()) {
      fmt::print("\n{}: {}\n", Printable(device.name()), Printable(device.problem()));
    }
    if (device.conflict_count() > 0 && name.empty()) {
      fmt::print("\n{0}: {1} clip{2} in conflict; see `gleaner devices {0}`\n",
                 Printable(device.name()), device.conflict_count(),
                 device.conflict_count() == 1 ? "" : "s");
    }
    for (const v1::Conflict& conflict : device.conflicts()) {
      fmt::print(
          "\n{}: clip {} of boot {} was offered with another manifest than the one taken in, {} "
          "times, last {}\n",
          Printable(device.name()), conflict.key().sequence(), Hex(conflict.key().boot_id()),
          conflict.times(), Ago(conflict.last_unix_ns(), now_ns));
    }
  }
  return absl::OkStatus();
}

absl::Status ListClips(Client& client, const ListClipsOptions& options) {
  v1::ListClipsRequest request;
  request.set_filter(options.filter);
  v1::ListClipsResponse page;
  uint32_t total = 0;  // the first page says it
  Table table({{"ID"},
               {"FIRED"},
               {"DEVICE"},
               {"SITE"},
               {"CAMERA"},
               {"TRIGGER"},
               {"LENGTH", true},
               {"SIZE", true},
               {"FRAMES", true},
               {"MEDIA"}});
  auto all = nlohmann::json::array();
  uint32_t shown = 0;
  do {
    const uint32_t left = options.limit == 0 ? kPageSize : options.limit - shown;
    request.set_page_size(std::min(left, kPageSize));
    if (options.json) {
      auto json = client.CallJson("ListClips", request);
      if (!json.ok()) return PointAt(options.filter, json.status());
      const auto parsed = nlohmann::json::parse(*json, nullptr, false);
      if (!parsed.is_object()) return absl::UnavailableError("the server's answer is not JSON");
      const auto clips = parsed.value("clips", nlohmann::json::array());
      for (const auto& clip : clips) all.push_back(clip);
      shown += static_cast<uint32_t>(clips.size());
      request.set_page_token(parsed.value("nextPageToken", std::string()));
      continue;
    }
    page.Clear();
    if (absl::Status status = client.Call("ListClips", request, &page); !status.ok()) {
      return PointAt(options.filter, status);
    }
    total = std::max(total, page.total());
    for (const v1::ClipSummary& clip : page.clips()) {
      table.Add({Printable(clip.id()), LocalTime(clip.fired_unix_ns()), Printable(clip.device()),
                 Printable(clip.site()), Printable(clip.camera()), Printable(clip.rule()),
                 fmt::format("{:.1f} s", clip.duration_s()), HumanBytes(clip.size_bytes()),
                 fmt::format("{}", clip.frame_count()), MediaOf(clip.media())});
    }
    shown += static_cast<uint32_t>(page.clips_size());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && (options.limit == 0 || shown < options.limit));
  if (options.json) {
    fmt::print("{}\n", nlohmann::json{{"clips", all}}.dump(1));
    return absl::OkStatus();
  }
  if (shown == 0) {
    fmt::print("No clips{}.\n", options.filter.empty() ? " yet" : " match this filter");
    return absl::OkStatus();
  }
  fmt::print("{}", table.Render());
  if (!request.page_token().empty()) {
    fmt::print("\n{} of {}{}; --limit shows more.\n", shown, total,
               total >= 10'000 ? " or more" : "");
  }
  return absl::OkStatus();
}

absl::Status ShowClip(Client& client, const std::string& id, bool json) {
  v1::GetClipRequest request;
  request.set_id(id);
  if (json) return PrintJson(client, "GetClip", request);
  v1::GetClipResponse clip;
  RETURN_IF_ERROR(client.Call("GetClip", request, &clip));
  const v1::ClipSummary& summary = clip.summary();
  const v1::ClipManifest& manifest = clip.manifest();
  const v1::TriggerEvidence& trigger = manifest.trigger();
  const v1::Window& window = manifest.delivered();
  fmt::print("clip      {}\n", Printable(summary.id()));
  fmt::print("device    {}{}\n", Printable(summary.device()),
             summary.site().empty() ? "" : " at " + Printable(summary.site()));
  fmt::print("fired     {}", LocalTime(summary.fired_unix_ns()));
  if (trigger.firing_monotonic_ns_size() > 1) {
    fmt::print(" and {} more times", trigger.firing_monotonic_ns_size() - 1);
  }
  fmt::print("\ntrigger   {} (priority {}): {}\n", Printable(trigger.rule()), trigger.priority(),
             Printable(trigger.expression()));
  fmt::print("length    {:.2f} s, {}\n", summary.duration_s(), HumanBytes(summary.size_bytes()));
  if (!manifest.shortfall().empty()) fmt::print("short     {}\n", Printable(manifest.shortfall()));
  if (manifest.truncated()) fmt::print("cut       a restart ended the capture early\n");
  for (const v1::VideoTrack& track : manifest.video()) {
    fmt::print("video     {}: {} {}×{}, {} frames, {}\n", Printable(track.camera()),
               Printable(track.codec()), track.width(), track.height(), track.frame_count(),
               Printable(track.encoder()));
  }
  fmt::print("media     {}{}\n", MediaOf(summary.media()),
             summary.media().problem().empty() ? "" : ": " + Printable(summary.media().problem()));
  fmt::print("manifest  sha256 {}\n", Hex(clip.manifest_sha256()));
  if (trigger.signals().empty()) return absl::OkStatus();

  // The evidence over the delivered window, with a mark under each firing.
  const int64_t length_us = (window.end_monotonic_ns() - window.start_monotonic_ns()) / 1000;
  fmt::print("\n");
  size_t name_width = 0;
  for (const v1::SignalTrace& signal : trigger.signals()) {
    name_width = std::max(name_width, signal.name().size());
  }
  for (const v1::SignalTrace& signal : trigger.signals()) {
    const std::vector<int64_t> offsets(signal.offset_us().begin(), signal.offset_us().end());
    const std::vector<double> values(signal.value().begin(), signal.value().end());
    if (values.empty() || offsets.size() != values.size()) continue;
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    fmt::print("{:<{}}  {}  {:.4g} to {:.4g}{}\n", Printable(signal.name()), name_width,
               Sparkline(offsets, values, 0, length_us, kPlotWidth), *low, *high,
               signal.unit().empty() || signal.unit() == "1" ? "" : " " + Printable(signal.unit()));
  }
  std::string marks(kPlotWidth, ' ');
  for (const int64_t firing_ns : trigger.firing_monotonic_ns()) {
    const double part = static_cast<double>(firing_ns - window.start_monotonic_ns()) / 1000.0 /
                        static_cast<double>(std::max<int64_t>(length_us, 1));
    if (part >= 0 && part < 1) marks[static_cast<size_t>(part * kPlotWidth)] = '^';
  }
  fmt::print("{:<{}}  {}  fired\n", "", name_width, marks);
  return absl::OkStatus();
}

}  // namespace gleaner::cli
