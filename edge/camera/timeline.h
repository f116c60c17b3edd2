// A camera's own time: one count of ticks that never steps back, whatever the source does.
//
// Ticks are the source's own, moved by a constant for each run of the source: 0 for the first (or
// what brings a negative first PTS to 0), and for each next one what lets its first frame follow
// the last frame of the run before. So the frames of a file keep the PTS that any other tool shows,
// plus a whole number of loops.
//
// Decode times are the source's where it has any from the first packet of a run on. FFmpeg guesses
// them for RTSP and Matroska, once it has seen a few packets: such a guess is never believed, and
// the whole run gets those of decode_times.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "absl/status/statusor.h"
#include "edge/camera/decode_times.h"
#include "edge/camera/packet.h"

namespace gleaner::edge {

// Not thread-safe.
class Timeline {
 public:
  struct Stamps {
    int64_t pts = 0;
    int64_t dts = 0;       // ≤ pts, increases strictly
    int64_t duration = 0;  // ≥ 1
  };

  // A run of the source begins. `frames_per_s` (0 = unknown) says how long a frame is where packets
  // don't, `depth` how deep frames are reordered. Its first packet is placed `after_ns` after the
  // newest frame of the run before, but not before that one's end.
  void Begin(TimeBase time_base, double frames_per_s, size_t depth, int64_t after_ns);
  // In the middle of a run the source counts from elsewhere: the next packet is placed as after
  // Begin().
  void Jump(int64_t after_ns);

  // Times may be AV_NOPTS_VALUE, the duration 0. OUT_OF_RANGE, "is …", for a packet that can't be
  // placed: it must be left out. A packet whose times go back where frames in another order don't
  // explain it is taken for a jump, and so is one after many that had to be left out.
  absl::StatusOr<Stamps> Place(int64_t pts, int64_t dts, int64_t duration);
  // The run lasts to `end` in the source's ticks, if that is a little after its last packet: the
  // last frame of a file is shown until then.
  void EndAt(int64_t end);

  TimeBase time_base() const { return time_base_; }
  // How often times jumped within a run.
  uint32_t jumps() const { return jumps_; }

 private:
  bool WentBack(int64_t pts, int64_t dts) const;
  absl::StatusOr<int64_t> DecodeTime(int64_t pts, int64_t dts);

  TimeBase time_base_;
  size_t depth_ = 0;
  int64_t frame_ticks_ = 1;  // what a frame lasts when nothing says it
  bool started_ = false;     // any packet has been placed
  bool anchored_ = false;    // offset_ holds
  int64_t after_ = 0;        // of the next anchoring, as is lead_
  int64_t lead_ = 0;
  int64_t offset_ = 0;
  int64_t floor_ = 0;   // what is shown before belongs to what came before the last anchoring
  int64_t newest_ = 0;  // greatest PTS
  int64_t end_ = 0;     // where the last frame in presentation order ends
  int64_t last_dts_ = INT64_MIN;
  std::deque<int64_t> recent_;      // PTS of the newest packets
  bool believes_dts_ = false;       // of this run
  int64_t source_dts_ = INT64_MIN;  // of the last packet, in the source's ticks
  int64_t next_dts_ = 0;            // the same, for a packet without times
  DecodeTimes decode_times_;        // where the source's aren't believed
  size_t left_out_ = 0;             // the last packets, one after the other
  uint32_t jumps_ = 0;
};

}  // namespace gleaner::edge
