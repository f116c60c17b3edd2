// The pre-roll ring: the last seconds of one camera as encoded packets.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "edge/camera/packet.h"

namespace gleaner::edge {

// What a run of packets is made of. Packets of one stream share one of these.
struct StreamInfo {
  VideoFormat format;
  std::string encoder;  // "remux", or the encoder's name
};

struct StreamPacket {
  Packet packet;
  std::shared_ptr<const StreamInfo> stream;
};

// How much earlier than it must a video may start for the sake of an IDR picture.
inline constexpr int64_t kCleanReachNs = 60'000'000'000;

// Holds whole groups of pictures: each starts at a keyframe and goes at once, the oldest first, as
// soon as what is left still has a good start for a video that goes back `span_ns` from the newest
// packet, or when there are more than `max_bytes`. Packets are shared, not copied. Not thread-safe.
//
// The good start for a moment: the last IDR picture at or before it, if that isn't more than
// `reach_ns` before it; else the last keyframe from which pictures are whole by then.
class PacketRing {
 public:
  PacketRing(int64_t span_ns, uint64_t max_bytes, int64_t reach_ns = kCleanReachNs)
      : span_ns_(span_ns), max_bytes_(max_bytes), reach_ns_(reach_ns) {}

  // A packet before the first keyframe is of no use to anybody and is dropped. So is a group that
  // alone is larger than `max_bytes`, up to its end. A keyframe that comes after an outage
  // (longer than the span, and than 10 s) finds the ring empty: no clip is to begin hours early. So
  // does the first packet of another run (see Packet).
  void Push(StreamPacket packet);
  void Clear();

  // From the good start for `monotonic_ns` to the newest packet; all there is when no keyframe is
  // that old, and nothing when the camera had been silent for 10 s at that moment.
  std::vector<StreamPacket> From(int64_t monotonic_ns) const;

  uint64_t bytes() const { return bytes_; }
  size_t size() const { return packets_.size(); }
  bool empty() const { return packets_.empty(); }

 private:
  struct Keyframe {
    uint64_t at;  // as counted since the start
    int64_t monotonic_ns;
    bool clean;
    uint32_t to_come;  // reference frames until pictures are whole
    int64_t whole_ns;  // since when they are, once nothing is to come
  };

  // The good start; null when no keyframe is that old.
  const Keyframe* StartFor(int64_t monotonic_ns) const;
  void DropFirstGroup();

  const int64_t span_ns_;
  const uint64_t max_bytes_;
  const int64_t reach_ns_;
  std::deque<StreamPacket> packets_;
  std::deque<Keyframe> keyframes_;  // the first is packets_.front()
  uint64_t front_ = 0;              // the count of packets_.front()
  uint64_t bytes_ = 0;
  int64_t newest_ns_ = INT64_MIN;
};

}  // namespace gleaner::edge
