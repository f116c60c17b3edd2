// The stamps of a live camera's packets, judged and where need be mended, and each frame's moment
// on the device's clock.
//
// Cameras' clocks step by hours, count 0.84 s a second, are wrong for a single frame, or say
// nothing at all. A packet whose stamp agrees with those before and with the time of its arrival
// passes untouched, at once (stamp_run.h). One whose stamp doesn't is held, with those that come
// after it, until it is clear what it was:
//  - A later packet goes on where the last good one was: a glitch. What was held gets the stamps
//  that
//    the pictures' order says, between those of its neighbours.
//  - Several agree with one another: the camera's clock has jumped. They are believed from then on,
//    and the first of them bears `jumped`: no clip is to hold frames of before and after.
//  - They agree with nothing: the stamps are of no use. Frames are then stamped by their arrivals,
//    smoothed to the frame rate and brought into the order in which they are shown, until stamps
//    have been sound for a while.
// The second takes eight packets, or a second of them; the third sixteen.
//
// The first packets of a run are held as well, sixteen or half a second of them, but six at least
// where that takes no more than eight seconds: they show how deep frames are reordered and how long
// one lasts, and of a burst at the start the newest tells the time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "edge/camera/arrival_clock.h"
#include "edge/camera/arrival_stamps.h"
#include "edge/camera/ffmpeg.h"
#include "edge/camera/packet.h"
#include "edge/camera/picture_order.h"
#include "edge/camera/presentation_sorter.h"
#include "edge/camera/stamp_run.h"

namespace gleaner::edge {

struct LivePacket {
  AvPtr<AVPacket> data;
  int64_t pts = 0;  // in the source's ticks, moved by a constant from one jump to the next
  int64_t arrival_ns = 0;
  int64_t monotonic_ns = 0;  // of pts
  bool jumped = false;       // what comes from here on counts from elsewhere
};

// One run of a source: from its opening until it is lost. Not thread-safe.
class LiveStamps {
 public:
  struct Counts {
    uint64_t glitches = 0;  // frames whose stamps were mended
    uint64_t jumps = 0;
    bool by_arrival = false;  // stamps are of no use at present
  };

  // `clock` outlives this, and knows the camera from earlier runs.
  LiveStamps(const VideoFormat& format, ArrivalClock& clock);

  // The next packet of the source, in decode order, and when it came.
  void Push(AvPtr<AVPacket> packet, int64_t arrival_ns);
  // The source is lost: no packet follows that could tell what those held are.
  void Finish();
  // The next packet that is decided; nullopt when more must be pushed first.
  std::optional<LivePacket> Pop();

  // Known from the first packet popped on.
  size_t depth() const { return depth_; }
  double frames_per_s() const;
  const Counts& counts() const { return counts_; }

 private:
  struct Held {
    AvPtr<AVPacket> data;
    StampedPicture picture;
    PicturePlace shown;   // as pictures' headers say
    bool agrees = false;  // doubted: with candidate_
  };
  enum class Mode { kLearning, kStamps, kArrivals };

  int64_t Ns(int64_t ticks) const { return TicksToNs(ticks, format_.time_base); }
  StampRun NewRun() const;
  void Learn();
  // Stamps are in decode order although frames are shown in another one.
  bool InDecodeOrder() const;
  void Take(Held held);
  void Judge(Held held);
  void Doubt(Held held);
  // Once it is clear what was held.
  void MendGlitches();
  void Mend(StampedPicture* picture);
  void ForgetCandidate();
  void BelieveCandidate();
  void GoByArrival();
  void ByArrival(Held held, bool jumped);
  // From here on time counts from elsewhere, on a clock that has the camera's rate or the device's.
  void Jump(bool cameras_clock);
  // Hands on a packet whose time is `time`: its PTS, or what its place in decode order gives it.
  void HandOn(Held held, int64_t time, bool jumped);
  void Ready(AvPtr<AVPacket> data);
  void Drain();

  const VideoFormat format_;
  ArrivalClock& clock_;
  PictureOrder order_;
  const bool places_;  // pictures are shown in the order that order_ reads
  Mode mode_ = Mode::kLearning;
  size_t depth_ = 0;
  int64_t frame_ns_ = 0;
  bool in_decode_order_ = false;
  int64_t count_ = 0;          // packets
  std::deque<Held> held_;      // undecided, in decode order
  StampRun run_;               // the stamps that are believed
  StampRun candidate_;         // those of the newest packets that agree with one another
  size_t candidate_at_ = 0;    // where in held_ it begins
  int misses_ = 0;             // the last packets that didn't agree with it
  ArrivalStamps arrivals_{0};  // while stamps are of no use
  int64_t last_pts_ = INT64_MIN;
  std::optional<PresentationSorter> sorter_;     // where times are those of decode order
  std::deque<std::pair<int64_t, bool>> sorted_;  // arrival and `jumped` of what is handed on
  std::deque<LivePacket> ready_;
  Counts counts_;
};

}  // namespace gleaner::edge
