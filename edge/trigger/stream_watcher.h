// Watches one camera: judges its packets' sizes, decodes as much as its detectors need and not
// more, and shows every picture to all of them.
//
// Of a camera whose own packets go into clips nothing is decoded while no detector asks for
// pictures; the packets since the last keyframe are kept meanwhile. When one asks for every picture
// the decoder catches up with them and goes on until nobody does and a keyframe has come. A packet
// is decoded at most once, but for keyframes that were looked at by themselves.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/camera/packet.h"
#include "edge/trigger/detector/detector.h"
#include "edge/trigger/detector/luma.h"
#include "edge/trigger/detector/packet_decoder.h"
#include "edge/trigger/detector/packet_watch.h"

namespace gleaner::edge {

// What watching has cost so far.
struct WatchStats {
  uint64_t packets = 0;         // seen
  uint64_t decoded_frames = 0;  // decoded for detectors
  uint64_t looked_at = 0;       // pictures that one detector at least has looked at
};

// Used by one thread, the camera's.
class StreamWatcher {
 public:
  // `samples` is told how far the camera has come.
  StreamWatcher(std::string camera, std::vector<std::unique_ptr<Detector>> detectors,
                SampleSink& samples);

  void OnFormat(const VideoFormat& format);
  // Every packet of a remuxable camera (VideoFormat::Remuxable), in decode order.
  void OnPacket(const Packet& packet);
  // Every frame of any other camera: it had to be decoded for encoding anyway.
  void OnFrame(const Frame& frame);

  // The camera has ended. On return everything has been said of its pictures.
  void Finish();

  const WatchStats& stats() const { return stats_; }
  // Of those that have a thread of their own. May be called by any thread.
  std::vector<DetectorReport> reports() const;

 private:
  static constexpr int64_t kNever = INT64_MIN;

  struct Watching {
    std::unique_ptr<Detector> detector;
    int64_t given_ns = kNever;  // the newest picture
  };

  void PassTime(int64_t now_ns);
  Need::Pictures Neediest() const;
  void DropPending();
  // Decodes what has come since the decoder's last packet.
  void CatchUp();
  void DecodeAlone(const Packet& keyframe);
  // What is in `picture` is moved away if a detector takes it.
  void Give(AVFrame& picture, int64_t monotonic_ns, bool alone);
  void Give(const Frame& frame, bool alone);
  bool IsKeyframeDue(const Packet& keyframe) const;
  bool IsDue(const Watching& watching, const Need& need, int64_t monotonic_ns) const;
  LumaReducer& ReducerTo(PictureSize size);

  const std::string camera_;
  SampleSink& samples_;
  std::vector<Watching> detectors_;
  int64_t newest_ns_ = kNever;  // that detectors have been shown
  WatchStats stats_;

  VideoFormat format_;
  bool decodable_ = false;  // packets of this format, that is
  bool started_ = false;    // a keyframe has come
  PacketWatch sizes_;
  // Open from the first need of every picture to the first keyframe without: a quiet camera holds
  // no decoder and none of its pictures. Open between them it has seen every packet but `pending_`.
  std::unique_ptr<PacketDecoder> decoder_;
  // In decode order, what the decoder has not seen; without a decoder all since the last keyframe.
  std::vector<Packet> pending_;
  size_t pending_bytes_ = 0;
  std::vector<LumaReducer> reducers_;  // one a size that detectors ask for
};

}  // namespace gleaner::edge
