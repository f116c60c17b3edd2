// Frames whose times were given in decode order get those of their presentation: the n-th frame
// shown bears the n-th time (this is how frames come out of a decoder, see ITU-T H.264 C.4.5.3). No
// time is invented or lost: only who bears it changes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <queue>
#include <utility>
#include <vector>

#include "edge/camera/ffmpeg.h"
#include "edge/camera/picture_order.h"

namespace gleaner::edge {

// Not thread-safe.
class PresentationSorter {
 public:
  // `depth`: how many frames may precede one in decode order and follow it in presentation. As many
  // packets are held.
  explicit PresentationSorter(size_t depth) : depth_(depth) {}

  // In decode order; times increase.
  void Push(AvPtr<AVPacket> packet, int64_t time, const PicturePlace& place);
  // No more packets will be pushed.
  void Finish() { Assign(0); }
  // The next packet in decode order, its PTS set and its DTS none; null when more must be pushed.
  AvPtr<AVPacket> Pop();

 private:
  struct Item {
    AvPtr<AVPacket> packet;
    bool placed = false;  // packet->pts is final
  };

  // Gives the next time to the earliest frame among those that wait, while more than `keep` wait.
  void Assign(size_t keep);

  const size_t depth_;
  std::deque<Item> queue_;                            // in decode order
  uint64_t front_ = 0;                                // number of queue_.front() since the start
  std::deque<int64_t> times_;                         // not yet given to a frame
  using Waiting = std::pair<PicturePlace, uint64_t>;  // and its number since the start
  std::priority_queue<Waiting, std::vector<Waiting>, std::greater<>> waiting_;
};

}  // namespace gleaner::edge
