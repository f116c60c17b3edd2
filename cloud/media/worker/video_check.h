// Does a video hold what its manifest says? Count and presentation times of its packets must be the
// manifest's, and frames must decode.
//
// One damaged frame doesn't spoil a clip: decoding goes on behind it, and the verdict says how many
// there are. Decoding has a price that is known only by paying it, so it is watched: when most of
// the processor time is used up, only keyframes are decoded from there on, and at last none; the
// packets' times are checked to the end all the same.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cloud/media/worker/frame_picker.h"
#include "gleaner/v1/catalog.pb.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud::media {

struct VideoFindings {
  v1::MediaCheck verdict;  // STATE_OK or STATE_FAILED
  std::vector<std::string> thumbnails;
  std::vector<PickedFrame> frames;  // in the order of their times; of a good video only
};

// Reads kVideoFd, which must allow seeking. Fragmented or plain MP4; H.264, HEVC, MPEG-4 or MJPEG;
// pictures within common/limits.h. `cpu_ns`: what the process may use in all, before it is killed.
// Thumbnails: as many as were asked for (or one a frame, if there are fewer), or none if no frame
// decodes. `frames`: which to take out on the way, see frame_picker.h.
VideoFindings CheckVideo(const v1::VideoTrack& track, size_t thumbnails, FrameWish frames,
                         int64_t cpu_ns);

}  // namespace gleaner::cloud::media
