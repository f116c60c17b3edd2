#include "edge/probe/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "common/printable.h"
#include "common/text.h"

namespace gleaner::edge {
namespace {

// A clock that is off by less is right.
constexpr double kRightRate = 0.01;

bool IsFile(const v1::CameraProbe& probe) { return probe.description().source() == "file"; }

// Any frame but the first has a time.
bool HasStamps(const v1::CameraProbe& probe) {
  return probe.missing_stamps() + 1 < std::max<uint64_t>(probe.frames(), 2);
}

// Clips keep the camera's own packets.
bool IsKept(const v1::CameraProbe& probe) {
  const std::string& codec = probe.description().codec();
  return codec == "h264" || codec == "hevc";
}

std::string LoginText(const v1::CameraProbe& probe) {
  if (probe.login().empty()) return "none asked for";
  if (probe.login() != "Basic" || probe.address().starts_with("rtsps:")) return probe.login();
  return "Basic: the password goes over the network as it is; let the camera ask for Digest";
}

std::string VideoText(const v1::CameraProbe& probe) {
  const v1::CameraDescription& what = probe.description();
  std::string text = what.codec();
  if (!probe.profile().empty()) text += " " + probe.profile();
  text +=
      fmt::format(", {}×{}, {:.4g} frames/s", what.width(), what.height(), probe.frames_per_s());
  if (what.frames_per_s() > 0) text += fmt::format(" (declared: {:.4g})", what.frames_per_s());
  return text + fmt::format(", {:.3g} Mbit/s", probe.bits_per_s() / 1e6);
}

std::string ColoursText(const v1::CameraProbe& probe) {
  std::string text = probe.pixel_format().empty() ? "" : probe.pixel_format() + ", ";
  text += probe.colours().empty() ? "matrix and range not told" : probe.colours();
  if (probe.turn_degrees() != 0) {
    text += fmt::format("; turned by {}° clockwise for viewing", probe.turn_degrees());
  }
  return text;
}

std::string KeyframesText(const v1::CameraProbe& probe) {
  if (probe.keyframes() == probe.frames()) return "every frame: a clip can start at each";
  std::string text;
  if (probe.longest_gop() == 0) {
    text = fmt::format("{} in {}", probe.keyframes(), Count(probe.frames(), "frame"));
  } else if (probe.shortest_gop() == probe.longest_gop()) {
    text = "every " + Count(probe.longest_gop(), "frame");
  } else {
    text = fmt::format("every {} to {} frames", probe.shortest_gop(), probe.longest_gop());
  }
  if (probe.longest_gop() > 0 && probe.frames_per_s() > 0) {
    text +=
        fmt::format(", {:.1f} s", static_cast<double>(probe.longest_gop()) / probe.frames_per_s());
  }
  if (!IsKept(probe)) return text;
  if (probe.gradual_keyframes() > 0) {
    return text +
           "; intra refresh: pictures are renewed bit by bit, a clip begins with blurred ones";
  }
  if (probe.clean_keyframes() == probe.keyframes()) return text + "; IDR: a clip can start at each";
  return text + fmt::format("; open GOPs: {} of {} are IDR, where a clip can start without a loss",
                            probe.clean_keyframes(), probe.keyframes());
}

std::string BFramesText(const v1::CameraProbe& probe) {
  if (probe.reorder_depth() == 0) return "none";
  return fmt::format("up to {} sent before one that is shown earlier",
                     Count(probe.reorder_depth(), "frame"));
}

std::string SetsText(const v1::CameraProbe& probe) {
  std::string text = probe.sets_announced() ? "announced" : "";
  if (probe.sets_in_stream()) {
    text += text.empty() ? "" : ", and ";
    text +=
        probe.sets_at_all_keyframes() ? "in front of every keyframe" : "in front of some keyframes";
  }
  return text.empty() ? "in the header" : text;
}

std::string StepsText(const v1::CameraProbe& probe) {
  const bool regular = probe.step_spread_ms() < 1 + probe.usual_step_ms() / 10;
  return fmt::format("{}: a frame every {:.4g} ms, ±{:.2g} ms", regular ? "regular" : "irregular",
                     probe.usual_step_ms(),
                     probe.step_spread_ms() < 0.1 ? 0 : probe.step_spread_ms());
}

std::string StampsText(const v1::CameraProbe& probe) {
  const std::string_view instead =
      IsFile(probe) ? "frames are counted" : "frames are timed by their arrival";
  if (!HasStamps(probe)) return fmt::format("none; {}", instead);
  if (probe.stamps_useless()) return fmt::format("of no use; {}", instead);
  std::string text = StepsText(probe);
  if (probe.missing_stamps() > 0) {
    text += fmt::format("; {} without a time", Count(probe.missing_stamps(), "frame"));
  }
  if (probe.jumps() > 0) text += "; " + Count(probe.jumps(), "jump");
  if (probe.glitches() > 0) {
    text += fmt::format("; {} with a wrong time, mended", Count(probe.glitches(), "frame"));
  }
  return text;
}

std::string ClockText(const v1::CameraProbe& probe) {
  if (probe.clock_rate() == 0) return "its rate can't be told: look for longer";
  if (probe.clock_rate() > 1 - kRightRate && probe.clock_rate() < 1 + kRightRate) return "right";
  return fmt::format("counts {:.3f} s in a second; frames are timed by their arrival",
                     probe.clock_rate());
}

std::string WatchingText(const v1::CameraProbe& probe) {
  const v1::WatchCost& cost = probe.watching();
  if (!cost.problem().empty()) return "impossible here: " + cost.problem();
  if (!IsKept(probe)) {
    return fmt::format(
        "dear: every frame is decoded{}; better let the camera send H.264, if it can",
        cost.encoder().empty() ? "" : ", and encoded anew by " + cost.encoder());
  }
  if (!cost.cheap()) {
    return "dear: clips keep the camera's packets, but their sizes don't show motion, so that most "
           "are decoded";
  }
  return fmt::format("cheap: clips keep the camera's packets, and their sizes show motion{}",
                     cost.frames() == 0 ? "; look for longer to learn what it costs"
                     : cost.moved()     ? "; what moved was looked at frame by frame"
                                        : "");
}

std::string CostText(const v1::WatchCost& cost) {
  return fmt::format("{:.2g} % of a core here; {} of {} decoded, {:.2g} ms a frame",
                     cost.core_percent(), cost.decoded_frames(), Count(cost.frames(), "frame"),
                     cost.cpu_ms_per_frame());
}

}  // namespace

std::string ToText(const v1::CameraProbe& probe) {
  std::string text = fmt::format("# {}\n", Printable(probe.address()));
  const auto line = [&text](std::string_view name, std::string_view value) {
    text += fmt::format("#   {:<15} {}\n", name, Printable(value));
  };
  if (!probe.server().empty()) line("server", probe.server());
  if (!probe.transport().empty()) {
    line("login", LoginText(probe));
    line("transport", probe.transport());
  }
  line("video", VideoText(probe));
  line("colours", ColoursText(probe));
  line("keyframes", KeyframesText(probe));
  if (IsKept(probe)) {
    line("B-frames", BFramesText(probe));
    line("parameter sets", SetsText(probe));
  }
  line("times", StampsText(probe));
  if (!IsFile(probe) && HasStamps(probe) && !probe.stamps_useless()) {
    line("arrival", fmt::format("up to {:.0f} ms late", probe.lateness_ms()));
    if (probe.jumps() == 0) line("clock", ClockText(probe));
  }
  if (probe.has_audio()) line("sound", "there is, and is left out: clips are video only");
  if (probe.other_videos() > 0) {
    line("other videos", fmt::format("{}; only the first is watched", probe.other_videos()));
  }
  line("watching", WatchingText(probe));
  if (probe.watching().frames() > 0) line("cost", CostText(probe.watching()));
  if (probe.damaged() > 0) {
    line("damage", Count(probe.damaged(), "packet") + " came damaged and left out");
  }
  if (!probe.problem().empty()) line("problem", probe.problem());
  return text + probe.table();
}

}  // namespace gleaner::edge
