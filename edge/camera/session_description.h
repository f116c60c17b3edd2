// What a camera says it can send (SDP, RFC 4566; as RTSP uses it: RFC 2326, appendix C).
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gleaner::edge {

struct SessionDescription {
  // Of the first video stream: the description reduced to it, and what its SETUP asks for.
  std::string video;
  std::string control;          // absolute, or to be resolved; empty where there is none
  std::string session_control;  // of all streams together; empty or "*" where there is none
  // What the camera offers and nothing here reads.
  int audio_streams = 0;
  int other_videos = 0;

  // NOT_FOUND where there is no video.
  static absl::StatusOr<SessionDescription> Parse(std::string_view sdp);
};

// Where a control attribute leads: an absolute URL, or one below `base`, whether that ends with
// "/", has a query, or neither (as cameras expect it, and not as RFC 3986 would have it).
std::string ResolveControl(std::string_view base, std::string_view control);

}  // namespace gleaner::edge
