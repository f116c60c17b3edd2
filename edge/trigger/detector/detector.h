// A detector turns one camera's video into signals. One file an implementation, one line in
// registry.cpp; nothing else knows their names.
//
// Detectors don't decode. Each says what it needs of the pictures, as often as that changes, and
// the camera's watcher (stream_watcher.h) decodes once what the neediest of them asks for and gives
// every picture to all that it is of use to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "edge/camera/packet.h"
#include "edge/trigger/detector/luma.h"
#include "edge/trigger/detector/packet_watch.h"
#include "edge/trigger/signal.h"

namespace gleaner::edge {

// What a detector needs of its camera's pictures at this moment.
struct Need {
  // Each kind takes what the kinds before it take. Of a camera whose pictures are decoded in any
  // case, for encoding, all but kNone get them.
  enum class Pictures : uint8_t {
    kNone,
    kDecoded,    // what is decoded for another detector
    kKeyframes,  // the keyframe that has come now, decoded by itself if nothing else asks for more
    kEvery,      // the decoder runs
  };
  Pictures pictures = Pictures::kNone;
  // At most one picture in so long: at most n a second is a second / n. What comes earlier isn't
  // given, nor reduced.
  int64_t interval_ns = 0;
  // Of Picture::luma.
  PictureSize size;
};

// One decoded picture. What has been damaged on its way is given to nobody.
struct Picture {
  Frame frame;       // the same for all detectors
  LumaPicture luma;  // of the size that the detector asked for, shared by those that ask for one
  // A keyframe that was decoded by itself: of what came since the picture before nothing is known.
  bool alone = false;
};

// A packet of a camera whose own packets are watched, as PacketWatch has judged it.
struct WatchedPacket {
  const Packet& packet;
  bool suspicious = false;  // larger than quiet packets of its kind
};

// How a detector that has a thread of its own keeps up.
struct DetectorReport {
  std::string name;
  uint64_t looked_at = 0;        // pictures
  uint64_t dropped = 0;          // pictures that a newer one took the place of
  uint64_t late = 0;             // of those looked at, later than was declared
  int64_t latency_ns = 0;        // from a picture's time to its samples, the newest
  int64_t worst_latency_ns = 0;  // and the longest
  int64_t declared_ns = 0;       // what rules wait for
};

// Used by one thread, the camera's; a call must be short, see off_thread.h for what isn't. Samples
// go to the sink given at construction.
class Detector {
 public:
  virtual ~Detector() = default;
  // Before the first packet or picture, and at every change: nothing seen before counts any more.
  // `sizes` judges this camera's packets and lives as long as the detector is used. Who compares
  // pictures teaches it; of a camera's detectors one at most does.
  virtual void OnFormat(const VideoFormat& format, PacketWatch& sizes) = 0;
  // Every packet in decode order, from a keyframe on, before need() is asked and pictures come. Not
  // called for a camera whose pictures are decoded in any case.
  virtual void OnPacket(const WatchedPacket&) {}
  // Asked at each packet and before each picture.
  virtual Need need() const = 0;
  // Pictures in the order of presentation. One packet may bring many, when the decoder catches up
  // with those since the last keyframe.
  virtual void OnPicture(const Picture& picture) = 0;
  // All pictures that the packet at `now_ns` brought have been given.
  virtual void OnPacketDone(int64_t /*now_ns*/) {}
  // The camera has ended: what is still to be said of its pictures has been when this returns.
  virtual void Finish() {}
  // Nullopt for a detector on the camera's own thread. May be called by any.
  virtual std::optional<DetectorReport> report() const { return std::nullopt; }
};

}  // namespace gleaner::edge
