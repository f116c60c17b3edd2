// Takes the frames that are wanted out of a decoding pass that is made anyway.
//
// A wanted frame that doesn't come, or comes damaged, is left out. Keyframes are known only when
// they come: the video is cut into as many equal parts as keyframes are allowed, and the first one
// of each part is taken unless another chosen frame is near it. Whether something moves around a
// chosen frame is seen from pictures that are looked at twice a second, small.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cloud/media/worker/ffmpeg.h"
#include "cloud/media/worker_protocol.h"
#include "common/turn.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud::media {

struct FrameWish {
  std::vector<int64_t> times;  // ascending
  uint32_t keyframes = 0;
  uint64_t gap_ticks = 0;
};

struct PickedFrame {
  ChosenHead head;
  std::string thumbnail;
};

// Not thread-safe.
class FramePicker {
 public:
  // `last_pts`: of the track's last frame.
  FramePicker(FrameWish wish, const v1::VideoTrack& track, int64_t last_pts);

  // Nothing is wanted: then there is nothing to call.
  bool idle() const { return wish_.times.empty() && wish_.keyframes == 0; }
  // The next frame, a whole one; `pts` ascends.
  void Take(const AVFrame& frame, int64_t pts, Turn turn);
  // All that were taken, in the order of their times.
  std::vector<PickedFrame> Finish();

 private:
  struct Witness {
    int64_t pts;
    LumaGrid grid;
  };

  bool IsWanted(int64_t pts);
  bool IsKeyframeToTake(const AVFrame& frame, int64_t pts) const;
  float MotionAround(const PickedFrame& picked) const;

  const FrameWish wish_;
  const int64_t first_pts_, last_pts_;
  const int64_t witness_ticks_;
  size_t next_wish_ = 0;
  int64_t next_witness_pts_;
  uint32_t parts_done_ = 0;  // of those that hold a keyframe each
  std::vector<Witness> witnesses_;
  std::vector<PickedFrame> picked_;
};

}  // namespace gleaner::cloud::media
