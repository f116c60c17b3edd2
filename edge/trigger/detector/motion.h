// "motion": the fraction of the picture that changes, 0 to 1. A hand that moves a product near the
// camera gives 0.05 to 0.4, sensor noise 0, a person across the street 0.005. The picture is
// compared at 320×180 with itself 200 ms before (see change_meter.h).
//
// Cost follows the signal. A camera that delivers H.264 or HEVC is watched in three stages:
//  1. Packet sizes, no decoding, about a microsecond a frame (see packet_watch.h).
//  2. When a packet is suspicious, the packets since the last keyframe are decoded, and then every
//     packet, until the pixels have been quiet for a second; if they say that nothing moves, the
//     question was wrong and the next one must be better.
//  3. Every four seconds a keyframe is decoded alone and compared with what was last seen, so that
//     what is slow, or predicted too well to show in packet sizes, is found too; every keyframe
//     while packet sizes can't be trusted (just started, caught missing something, or varying too
//     much by themselves).
//
// A packet is decoded at most once but for keyframes, so the cost never exceeds that of decoding
// everything. From any other camera come frames, decoded already.
//
// Samples: at each look (ten a second) whose value differs, four a second while there is motion,
// one a second (of 0) while there is none. Each is valid for three seconds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "edge/trigger/detector/change_meter.h"
#include "edge/trigger/detector/detector.h"
#include "edge/trigger/detector/luma.h"
#include "edge/trigger/detector/packet_decoder.h"
#include "edge/trigger/detector/packet_watch.h"

namespace gleaner::edge {

class MotionDetector : public Detector {
 public:
  static constexpr std::string_view kName = "motion";
  static constexpr ValueRange kRange{0, 1};

  MotionDetector(std::string_view camera, SampleSink& sink);

  void OnFormat(const VideoFormat& format) override;
  void OnPacket(const Packet& packet) override;
  void OnFrame(const Frame& frame) override;
  DetectorStats stats() const override { return stats_; }

 private:
  // Starts looking at every frame. `questioned`: because packet sizes asked for it.
  void Wake(int64_t now_ns, bool questioned);
  void Cool(int64_t now_ns);
  void DropPending();
  // Decodes what has come since the decoder's last packet and looks at it.
  void CatchUp();
  void CheckKeyframe(const Packet& keyframe);
  bool CheckDue(int64_t now_ns) const;
  void Look(const AVFrame& picture, int64_t monotonic_ns);
  void Write(double value, int64_t monotonic_ns);
  bool Quiet(int64_t now_ns) const;
  bool MayCool(int64_t now_ns) const;

  const std::string camera_;
  SampleSink& sink_;
  SignalSample sample_;  // the newest written
  bool written_ = false;

  VideoFormat format_;
  bool decodable_ = false;  // packets of this format, that is
  // Open from waking to the first keyframe after cooling: a quiet camera holds no decoder and none
  // of its pictures. Open between them it has seen every packet but `pending_`.
  std::unique_ptr<PacketDecoder> decoder_;
  PacketWatch watch_;
  LumaReducer reducer_;
  ChangeMeter meter_;
  DetectorStats stats_;

  // In decode order, what the decoder has not seen; without a decoder all since the last keyframe.
  std::vector<Packet> pending_;
  size_t pending_bytes_ = 0;

  bool started_ = false;     // a keyframe has come
  bool awake_ = false;       // looking at every frame
  bool questioned_ = false;  // awake because of packet sizes
  bool confirmed_ = false;   // awake, and something did change
  int64_t woke_ns_ = 0;
  int64_t changed_ns_ = 0;  // the newest look that saw a change
  int64_t checked_ns_ = 0;  // the newest keyframe check, or when it cooled
  int64_t distrust_until_ns_ = 0;
};

}  // namespace gleaner::edge
