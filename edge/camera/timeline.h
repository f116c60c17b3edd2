// A camera's own time: one count of ticks that never steps back, whatever the source does.
//
// Ticks are the source's own, moved by a constant for each run of the source: 0 for the first (or
// what brings a negative first PTS to 0), and for each next one what lets its first frame follow
// the last frame of the run before. So the frames of a file keep the PTS that any other tool shows,
// plus a whole number of loops.
#pragma once

#include <cstdint>
#include <optional>

#include "edge/camera/packet.h"

namespace gleaner::edge {

// Not thread-safe.
class Timeline {
 public:
  struct Stamps {
    int64_t pts = 0;
    int64_t dts = 0;
    int64_t duration = 0;  // ≥ 1
  };

  // A DTS that goes back is the source's mistake, and is closed up. So is one that jumps ahead by
  // more than `max_gap_ns`, kMaxGapNs for a live camera. A file may have frames of any length:
  // kNoMaxGap.
  static constexpr int64_t kNoMaxGap = INT64_MAX;
  explicit Timeline(int64_t max_gap_ns) : max_gap_ns_(max_gap_ns) {}

  // A run of the source begins: its first packet is placed `gap_ns` after the end of the run
  // before. `frames_per_s` (0 = unknown) says how long a frame is where packets don't.
  void Begin(TimeBase time_base, double frames_per_s, int64_t gap_ns);
  // Times may be AV_NOPTS_VALUE, the duration 0. nullopt for a packet that can't be placed: it
  // would be shown before it can be decoded. `quiet_ns`: for how long nothing came before it; a
  // camera that froze may jump ahead by so much more.
  std::optional<Stamps> Place(int64_t pts, int64_t dts, int64_t duration, int64_t quiet_ns = 0);
  // The run lasts to `end` in the source's ticks, if that is a little after its last packet: the
  // last frame of a file is shown until then.
  void EndAt(int64_t end);

  TimeBase time_base() const { return time_base_; }

 private:
  const int64_t max_gap_ns_;
  TimeBase time_base_;
  int64_t frame_ticks_ = 1;  // what a frame lasts when nothing says it
  bool started_ = false;     // any packet has been placed
  bool anchored_ = false;    // offset_ holds for this run
  int64_t gap_ = 0;
  int64_t offset_ = 0;
  int64_t end_ = 0;  // where the last frame in presentation order ends
  int64_t last_dts_ = 0;
  int64_t source_dts_ = INT64_MIN;  // of the last packet, in the source's ticks
  int64_t next_dts_ = 0;            // the same, for a packet without times
};

inline constexpr int64_t kMaxGapNs = 10'000'000'000;

// Which moment of the device's clock a live camera's PTS is. The camera's clock drifts against the
// device's, and packets arrive late by a varying time, never early: the least delay seen is the
// truth, and it may rise by 0.02 % of the time that passes (a bad crystal) and fall at once, but
// never so fast that time goes backwards.
class ArrivalClock {
 public:
  // The moment of `pts_ns`, for a packet that arrived at `arrival_ns`.
  int64_t Map(int64_t pts_ns, int64_t arrival_ns);
  // The next packet starts anew, but not before what was said last.
  void Reset() { started_ = false; }

 private:
  bool started_ = false;
  int64_t offset_ns_ = 0;
  int64_t last_pts_ns_ = 0;
  int64_t latest_ns_ = INT64_MIN;  // moment given so far
};

}  // namespace gleaner::edge
