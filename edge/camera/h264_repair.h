// Two faults that real H.264 and H.265 files have and that players forgive or stumble over.
//
// 1. Presentation times in decode order. AVI has no other, and some MP4 writers forget the
//    composition offsets: packets say PTS = DTS although B-frames are shown in another order. The
//    picture order count in each slice header tells the true order; the n-th frame shown gets the
//    n-th time. No time is invented or lost: only who bears it changes. (This is how the frames
//    come out of a decoder, see ITU-T H.264 C.4.5.3; FFmpeg's parser reads the count.)
// 2. A NAL unit whose header says "IDR slice, not for reference" (byte 0x05), which ITU-T H.264
//    7.4.1 forbids: what is left of an SEI whose first byte was eaten. FFmpeg skips it, Chromium
//    gives up on the whole file. It is cut out.
#pragma once

#include <cstdint>
#include <deque>
#include <queue>
#include <utility>
#include <vector>

#include "edge/camera/ffmpeg.h"

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

  bool repairing() const { return state_ == State::kRepairing; }

 private:
  enum class State { kDeciding, kPassing, kRepairing };
  // Where a frame stands in the order of presentation: pictures count anew from each IDR.
  using Place = std::pair<uint64_t, int>;  // (period, picture order count)
  struct Item {
    AvPtr<AVPacket> packet;
    Place place;
    int64_t time = 0;     // as the container says it
    bool placed = false;  // packet->pts is final
  };

  Place Parse(const AVPacket& packet);
  void Decide();
  // Gives the next time to the earliest frame among those that wait, while more than `keep` wait.
  void Assign(size_t keep);

  State state_ = State::kDeciding;
  AvPtr<AVCodecContext> context_;
  AvPtr<AVCodecParserContext> parser_;
  uint64_t period_ = 0;
  size_t depth_ = 0;           // how many frames may precede one in decode order and follow it in
                               // presentation
  std::deque<Item> queue_;     // in decode order
  uint64_t front_ = 0;         // number of queue_.front() since the start
  std::deque<int64_t> times_;  // times not yet given to a frame
  std::deque<int64_t> past_;   // the last `depth_` times of packets handed out: the DTS to come
  using Waiting = std::pair<Place, uint64_t>;  // and its number since the start
  std::priority_queue<Waiting, std::vector<Waiting>, std::greater<>> waiting_;
};

}  // namespace gleaner::edge
