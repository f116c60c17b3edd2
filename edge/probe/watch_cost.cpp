#include "edge/probe/watch_cost.h"

#include <memory>
#include <utility>

#include "common/clock.h"
#include "common/status.h"
#include "edge/clip/transcoder.h"
#include "edge/trigger/detector/motion.h"
#include "edge/trigger/stream_watcher.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kLearningNs = 2 * kNanosPerSecond;
constexpr int64_t kMaxCpuNs = 5 * kNanosPerSecond;
// Of fewer nothing is said.
constexpr uint64_t kFewFrames = 20;
// Of the picture: a person across the street is more.
constexpr double kNoise = 0.003;

struct MotionSeen : SampleSink {
  void OnSample(const SignalSample& sample) override {
    moved = moved || sample.value.number() > kNoise;
  }
  bool moved = false;
};

}  // namespace

absl::StatusOr<WatchCost> MeasureWatchCost(const VideoFormat& format,
                                           const std::vector<Packet>& packets,
                                           const std::vector<std::string>& encoders,
                                           const std::function<int64_t()>& cpu_ns) {
  WatchCost cost;
  MotionSeen seen;
  std::vector<std::unique_ptr<Detector>> detectors;
  detectors.push_back(std::make_unique<MotionDetector>("probe", MotionDetector::Options(), seen));
  StreamWatcher watcher("probe", std::move(detectors), seen);
  watcher.OnFormat(format);
  uint64_t transcoded = 0;
  std::unique_ptr<Transcoder> transcoder;
  if (!format.Remuxable()) {
    ASSIGN_OR_RETURN(
        transcoder,
        Transcoder::Open(format, encoders,
                         {.on_frame =
                              [&](const Frame& frame) {
                                ++transcoded;
                                watcher.OnFrame(frame);
                              },
                          .on_format = [&](const VideoFormat&,
                                           const std::string& encoder) { cost.encoder = encoder; },
                          .on_packet = [](const Packet&) {}}));
  }
  const auto decoded = [&] { return transcoded + watcher.stats().decoded_frames; };
  const int64_t start_ns = cpu_ns();
  int64_t learnt_ns = start_ns;
  uint64_t decoded_learning = 0;
  for (const Packet& packet : packets) {
    const bool learning = packet.monotonic_ns < packets.front().monotonic_ns + kLearningNs;
    if (!learning && cost.frames++ == 0) {
      learnt_ns = cpu_ns();
      decoded_learning = decoded();
      seen.moved = false;
    }
    if (transcoder != nullptr) {
      RETURN_IF_ERROR(transcoder->OnPacket(packet));
    } else {
      watcher.OnPacket(packet);
    }
    if (cpu_ns() - start_ns > kMaxCpuNs) break;
  }
  if (cost.frames < kFewFrames) return WatchCost{.encoder = cost.encoder};
  cost.decoded_frames = decoded() - decoded_learning;
  cost.cpu_ms_a_frame =
      static_cast<double>(cpu_ns() - learnt_ns) / kNanosPerMilli / static_cast<double>(cost.frames);
  cost.moved = seen.moved;
  return cost;
}

}  // namespace gleaner::edge
