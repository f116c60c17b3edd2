// The newest packets of a live camera whose stamps agree with one another: what may a next one say?
//
// A stamp ahead of the newest is believed where it is no more ahead than time has passed on the
// device and pictures are sent before their turn, or where it claims no moment that hasn't come. A
// stamp behind the newest is believed where the frame is shown before those that it is behind of.
// No two frames have the same, nor is there less room between two than the frames between them
// need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "edge/camera/arrival_clock.h"
#include "edge/camera/packet.h"
#include "edge/camera/picture_order.h"

namespace gleaner::edge {

// What is known of a packet before its stamp is judged.
struct StampedPicture {
  int64_t pts = 0;  // in the source's ticks; may be AV_NOPTS_VALUE
  int64_t arrival_ns = 0;
  PicturePlace place;
};

// Not thread-safe.
class StampRun {
 public:
  // `frame_ns`: what a frame usually lasts on the camera's clock. `ordered`: pictures' places are
  // known; else a few may be out of order.
  StampRun(TimeBase time_base, int64_t frame_ns, bool ordered)
      : time_base_(time_base), frame_ns_(frame_ns), ordered_(ordered) {}

  // `clock`: of the camera; its rate counts, and where it `knows` stamps such as these, its line.
  // `between`: so many pictures that came before this one still need stamps of their own.
  bool Fits(const StampedPicture& picture, const ArrivalClock& clock, bool knows,
            size_t between = 0) const;
  // Whether a picture is stamped well after all others though its count is less than the newest's:
  // the keyframe at which counting began anew was lost.
  bool BeginsAnew(const StampedPicture& picture) const;
  void Take(const StampedPicture& picture);
  // The stamp of a picture between those that were taken, by its place among them: later than that
  // of the one shown before it, and earlier than that of the next. Where packets were lost, which
  // makes counts mislead, by its place among those that came on its side of the gap.
  int64_t Guess(const StampedPicture& picture) const;

  // The one with the greatest stamp.
  const StampedPicture& newest() const { return newest_; }
  uint64_t taken() const { return taken_; }
  // Arrivals, of the first and the newest one.
  int64_t span_ns() const { return seen_.empty() ? 0 : seen_.back().arrival_ns - began_ns_; }

 private:
  // The arrivals between which no more was lost than a few frames, `arrival_ns` being one of them.
  std::pair<int64_t, int64_t> Gapless(int64_t arrival_ns) const;
  // How much later than the newest a picture is shown by its place: it is sent before those that
  // are shown in between.
  int64_t AheadNs(const PicturePlace& place) const;

  TimeBase time_base_;
  int64_t frame_ns_;
  bool ordered_;
  std::deque<StampedPicture> seen_;  // the newest ones, as they came
  StampedPicture newest_;            // the one with the greatest stamp
  uint64_t taken_ = 0;
  int64_t began_ns_ = 0;
};

}  // namespace gleaner::edge
