// Does a video hold what its manifest says? Every frame is decoded, and count, size and
// presentation times must be the manifest's.
#pragma once

#include <string>
#include <vector>

#include "gleaner/v1/catalog.pb.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud::media {

struct VideoFindings {
  v1::MediaCheck verdict;  // STATE_OK or STATE_FAILED
  std::vector<std::string> thumbnails;
};

// Reads kVideoFd, which must allow seeking. Fragmented or plain MP4; H.264, HEVC, MPEG-4 or MJPEG;
// at most 9.4 million pixels (4096×2304).
VideoFindings CheckVideo(const v1::VideoTrack& track, size_t thumbnails);

}  // namespace gleaner::cloud::media
