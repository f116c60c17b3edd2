#include "edge/camera/session_description.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace gleaner::edge {
namespace {

std::string_view Trim(std::string_view text) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace({text.data(), text.size()});
  return {trimmed.data(), trimmed.size()};
}

bool IsRtspUrl(std::string_view text) {
  return absl::StartsWithIgnoreCase({text.data(), text.size()}, "rtsp://") ||
         absl::StartsWithIgnoreCase({text.data(), text.size()}, "rtsps://");
}

}  // namespace

absl::StatusOr<SessionDescription> SessionDescription::Parse(std::string_view sdp) {
  SessionDescription description;
  // Names, addresses and titles are left out: they are of no use, and some cameras put the URL with
  // its password there.
  description.video = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
  enum { kSession, kVideo, kOther } section = kSession;
  bool found = false;
  for (size_t begin = 0; begin < sdp.size();) {
    const size_t end = std::min(sdp.find_first_of("\r\n", begin), sdp.size());
    const std::string_view line = Trim(sdp.substr(begin, end - begin));
    begin = end + 1;
    constexpr std::string_view kControl = "a=control:";
    if (line.starts_with("m=")) {
      section = kOther;
      if (line.starts_with("m=video") && !found) {
        section = kVideo;
        found = true;
      } else if (line.starts_with("m=video")) {
        ++description.other_videos;
      } else if (line.starts_with("m=audio")) {
        ++description.audio_streams;
      }
    }
    if (line.starts_with(kControl) && section != kOther) {
      (section == kVideo ? description.control : description.session_control) =
          Trim(line.substr(kControl.size()));
    } else if (section == kVideo && line.size() > 2 && line[1] == '=' && line[0] != 'i') {
      description.video.append(line).append("\r\n");
    }
  }
  if (!found) return absl::NotFoundError("offers no video");
  return description;
}

std::string ResolveControl(std::string_view base, std::string_view control) {
  if (control.empty() || control == "*") return std::string(base);
  if (IsRtspUrl(control)) return std::string(control);
  std::string url(base);
  if (!url.ends_with('/')) url += '/';
  if (control.starts_with('/')) control.remove_prefix(1);
  return url.append(control);
}

}  // namespace gleaner::edge
