#include <fmt/format.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "cli/clip_id.h"
#include "cli/commands.h"
#include "cli/filter.h"
#include "cli/json.h"
#include "cli/pages.h"
#include "cli/sparkline.h"
#include "common/digest.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/table.h"
#include "common/text.h"
#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cli {
namespace {

constexpr size_t kPlotWidth = 60;

// In the words of the filter language: "damaged-frames" for REASON_DAMAGED_FRAMES.
std::string MediaOf(const v1::MediaCheck& media) {
  if (media.reason() != v1::MediaCheck::REASON_UNSPECIFIED) {
    const std::string& name = v1::MediaCheck::Reason_Name(media.reason());
    const std::string word = absl::StrReplaceAll(
        absl::AsciiStrToLower(absl::StripPrefix(name, "REASON_")), {{"_", "-"}});
    if (!word.empty()) return word;
  }
  switch (media.state()) {
    case v1::MediaCheck::STATE_OK:
      return "ok";
    case v1::MediaCheck::STATE_FAILED:
      return "failed";
    default:
      return "pending";
  }
}

}  // namespace

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
               {"RULE"},
               {"LENGTH", true},
               {"SIZE", true},
               {"FRAMES", true},
               {"MEDIA"}});
  auto all = nlohmann::ordered_json::array();
  uint32_t shown = 0;
  do {
    const uint32_t left = options.limit == 0 ? kPageSize : options.limit - shown;
    request.set_page_size(std::min(left, kPageSize));
    if (options.json) {
      auto json = client.CallJson("CatalogService/ListClips", request);
      if (!json.ok()) return PointAt(options.filter, json.status());
      const auto parsed = nlohmann::ordered_json::parse(*json, nullptr, false);
      if (!parsed.is_object()) return absl::UnavailableError("the server's answer is not JSON");
      const auto clips = parsed.value("clips", nlohmann::ordered_json::array());
      for (const auto& clip : clips) all.push_back(clip);
      shown += static_cast<uint32_t>(clips.size());
      request.set_page_token(parsed.value("nextPageToken", std::string()));
      continue;
    }
    page.Clear();
    if (absl::Status status = client.Call("CatalogService/ListClips", request, &page);
        !status.ok()) {
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
    PrintJson(nlohmann::ordered_json{{"clips", all}});
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

absl::Status ShowClip(Client& client, const std::string& text, bool json) {
  ASSIGN_OR_RETURN(const std::string id, FindClipId(client, text));
  v1::GetClipRequest request;
  request.set_id(id);
  if (json) {
    ASSIGN_OR_RETURN(const std::string answer, client.CallJson("CatalogService/GetClip", request));
    return PrintJsonText(answer);
  }
  v1::GetClipResponse clip;
  RETURN_IF_ERROR(client.Call("CatalogService/GetClip", request, &clip));
  const v1::ClipSummary& summary = clip.summary();
  const v1::ClipManifest& manifest = clip.manifest();
  const v1::TriggerEvidence& trigger = manifest.trigger();
  const v1::Window& window = manifest.delivered();
  fmt::print("clip      {}\n", Printable(summary.id()));
  fmt::print("device    {}{}\n", Printable(summary.device()),
             summary.site().empty() ? "" : " at " + Printable(summary.site()));
  fmt::print("fired     {}", LocalTime(summary.fired_unix_ns()));
  if (trigger.firing_monotonic_ns_size() > 1) {
    const auto more = static_cast<uint64_t>(trigger.firing_monotonic_ns_size() - 1);
    fmt::print(" and {} after that", Count(more, "time"));
  }
  fmt::print("\nrule      {} (priority {}): {}\n", Printable(trigger.rule()), trigger.priority(),
             Printable(trigger.expression()));
  fmt::print("length    {:.2f} s, {}\n", summary.duration_s(), HumanBytes(summary.size_bytes()));
  if (!manifest.shortfall().empty()) fmt::print("short     {}\n", Printable(manifest.shortfall()));
  if (manifest.truncated()) fmt::print("cut       a restart ended the capture early\n");
  for (const v1::VideoTrack& track : manifest.video()) {
    fmt::print("video     {}: {} {}×{}, {}, {}\n", Printable(track.camera()),
               Printable(track.codec()), track.width(), track.height(),
               Count(track.frame_count(), "frame"), Printable(track.encoder()));
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
