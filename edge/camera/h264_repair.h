// Two faults that real H.264 and H.265 files have and that players forgive or stumble over.
//
// 1. Presentation times in decode order. AVI has no other, raw streams have none at all, and some
// MP4
//    writers forget the composition offsets: packets say PTS = DTS although B-frames are shown in
//    another order. The picture order count in each slice header tells the true one, and who is to
//    bear which time (picture_order.h, presentation_sorter.h).
// 2. A NAL unit whose header says "IDR slice, not for reference" (byte 0x05), which ITU-T H.264
//    7.4.1 forbids: what is left of an SEI whose first byte was eaten. FFmpeg skips it, Chromium
//    gives up on the whole file. It is cut out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "edge/camera/ffmpeg.h"
#include "edge/camera/picture_order.h"
#include "edge/camera/presentation_sorter.h"

namespace gleaner::edge {

// Cuts such NAL units out of a packet in MP4 framing. Looks at the NAL headers only; a sound packet
// is not touched or copied.
void DropImpossibleNalUnits(const AVCodecParameters& parameters, AVPacket* packet);

// Between a file's demuxer and the timeline. Looks at the first packets before it hands out any,
// to see whether their order of presentation differs from their times; where it doesn't, or where
// the container has times of both kinds, packets pass untouched and unparsed from then on.
// Not thread-safe.
class PresentationRepair {
 public:
  explicit PresentationRepair(const VideoFormat& format);

  void Push(AvPtr<AVPacket> packet);
  // No more packets will be pushed.
  void Finish();
  // The next packet in decode order; null when more must be pushed first.
  AvPtr<AVPacket> Pop();

  // How deep the frames handed out are reordered. Known from the first packet popped on.
  size_t depth() const { return depth_; }

 private:
  struct Item {
    AvPtr<AVPacket> packet;
    int64_t time = 0;  // as the container says it, or counted
    PicturePlace place;
  };

  void Decide();
  int64_t TimeOf(const AVPacket& packet);

  PictureOrder order_;
  size_t depth_;
  bool deciding_;
  std::deque<Item> queue_;                    // while deciding and passing
  std::optional<PresentationSorter> sorter_;  // while repairing
  int64_t next_time_ = 0;                     // for a packet without any
};

}  // namespace gleaner::edge
