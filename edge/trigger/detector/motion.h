// "motion": the fraction of the picture that changes, 0 to 1. A hand that moves a product near the
// camera gives 0.05 to 0.4, sensor noise 0, a person across the street 0.005. The picture is
// compared at 320×180 with itself 200 ms before (see change_meter.h).
//
// Cost follows the signal. Of a camera that delivers H.264 or HEVC it asks for pictures in three
// stages:
//  1. None while packet sizes say that nothing happens (see packet_watch.h).
//  2. When a packet is suspicious every picture, those since the last keyframe included, until they
//     have been quiet for a second; if they say that nothing moves, the question was wrong and the
//     next one must be better.
//  3. Every four seconds a keyframe, which is compared with what was last seen, so that what is
//     slow, or predicted too well to show in packet sizes, is found too; every keyframe while
//     packet sizes can't be trusted (just started, caught missing something, or varying too much by
//     themselves).
//
// What is decoded for others meanwhile it looks at as well. From any other camera come frames,
// decoded already.
//
// Samples: at each look (ten a second) whose value differs, four a second while there is motion,
// one a second (of 0) while there is none. Each is valid for three seconds.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "common/clock.h"
#include "common/config.h"
#include "edge/trigger/detector/change_meter.h"
#include "edge/trigger/detector/detector.h"
#include "edge/trigger/detector/packet_watch.h"

namespace gleaner::edge {

class MotionDetector : public Detector {
 public:
  static constexpr std::string_view kName = "motion";
  static constexpr std::array kSignals = {
      SignalKind{.name = kName, .type = SampleType::kNumber, .range = {0, 1}}};

  static constexpr int64_t kLatencyNs = 0;

  struct Options {
    // From one keyframe that is looked at to the next, while nothing seems to happen.
    int64_t check_ns = 4 * kNanosPerSecond;

    static Options Read(ConfigReader& reader);
  };

  MotionDetector(std::string_view camera, const Options& options, SampleSink& sink);

  void OnFormat(const VideoFormat& format, PacketWatch& sizes) override;
  void OnPacket(const WatchedPacket& watched) override;
  Need need() const override;
  void OnPicture(const Picture& picture) override;
  void OnPacketDone(int64_t now_ns) override;

 private:
  // Asks for every picture from now on. `questioned`: because packet sizes asked for it.
  void Wake(int64_t now_ns, bool questioned);
  // What packet sizes should have told has been found without them.
  void WakeUntold(int64_t now_ns);
  void Cool(int64_t now_ns);
  bool CheckDue(int64_t now_ns) const;
  void Check(const Picture& keyframe);
  void Look(const Picture& picture);
  void Write(double value, int64_t monotonic_ns);
  bool Quiet(int64_t now_ns) const;
  bool MayCool(int64_t now_ns) const;

  const Options options_;
  SampleSink& sink_;
  SignalSample sample_;  // the newest written
  bool written_ = false;

  PacketWatch* sizes_ = nullptr;  // the watcher's, taught here
  ChangeMeter meter_;

  bool started_ = false;     // a packet has come
  bool check_ = false;       // asks for the keyframe that has come now
  bool awake_ = false;       // asks for every picture
  bool questioned_ = false;  // awake because of packet sizes
  bool confirmed_ = false;   // awake, and something did change
  int64_t woke_ns_ = 0;
  int64_t changed_ns_ = 0;  // the newest look that saw a change
  int64_t checked_ns_ = 0;  // the newest keyframe check, or when it cooled
  int64_t distrust_until_ns_ = 0;
};

}  // namespace gleaner::edge
