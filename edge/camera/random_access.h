// What a keyframe of H.264 or H.265 really is: not every one is a place where decoding can start
// without a loss. Looks at the headers of keyframes only.
#pragma once

#include <cstdint>

#include "edge/camera/ffmpeg.h"

namespace gleaner::edge {

struct RandomAccess {
  // An IDR picture: nothing that follows refers to anything before it. Else (an open GOP's I-frame,
  // CRA, BLA, a recovery point) pictures that follow but are shown before it may do so, and it
  // stands in the middle of a coded sequence.
  bool clean = true;
  // Pictures are whole only after so many more reference frames: a camera that has no I-frames but
  // refreshes its picture bit by bit (the recovery point SEI of H.264, D.2.8). 0: at once.
  uint32_t recovery_frames = 0;
};

// Of a packet that is flagged as a keyframe. Clean for every other codec, and where it can't be
// seen.
RandomAccess LookAtKeyframe(const AVCodecParameters& parameters, const AVPacket& keyframe);

// Whether others may refer to this H.264 picture (nal_ref_idc); true where it can't be seen.
bool IsReference(const AVCodecParameters& parameters, const AVPacket& packet);

}  // namespace gleaner::edge
