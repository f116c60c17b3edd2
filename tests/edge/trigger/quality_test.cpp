#include "edge/trigger/detector/quality.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "edge/trigger/detector/registry.h"
#include "edge/trigger/stream_watcher.h"
#include "tests/data/footage.h"
#include "tests/edge/trigger/gray_picture.h"
#include "tests/edge/trigger/streams.h"
#include "tests/edge/trigger/video_file.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::Lt;

struct Samples : SampleSink {
  void OnSample(const SignalSample& sample) override { all.push_back(sample); }
  std::vector<const SignalSample*> Of(std::string_view name) const {
    std::vector<const SignalSample*> found;
    for (const SignalSample& sample : all) {
      if (sample.name == SignalName("front", name)) found.push_back(&sample);
    }
    return found;
  }
  std::vector<SignalSample> all;
};

PictureQuality QualityOf(const std::string& input, const std::string& filter) {
  const auto picture = GrayPicture(fmt::format("{} -vf {}", input, filter), 640, 360);
  return MeasureQuality(LumaReducer({}).Reduce(picture));
}
const std::string kScene = "-i " + Footage("cup.mp4");

TEST(Quality, TellsASharpPictureFromOneOutOfFocus) {
  double before = QualityOf(kScene, "scale=640:360").sharpness;
  EXPECT_THAT(before, Gt(5));
  for (const int radius : {1, 3, 8}) {
    const double sharpness =
        QualityOf(kScene, fmt::format("scale=640:360,boxblur={}", radius)).sharpness;
    EXPECT_THAT(sharpness, Lt(before)) << radius;
    before = sharpness;
  }
  EXPECT_THAT(before, Lt(2));
}

TEST(Quality, TellsDarknessFromGlare) {
  EXPECT_NEAR(QualityOf(kScene, "scale=640:360").exposure, 0, 0.3);
  EXPECT_THAT(QualityOf(kScene, "scale=640:360,lutyuv=y=val/10+16").exposure, Lt(-0.4));
  EXPECT_THAT(QualityOf(kScene, "scale=640:360,lutyuv=y=val+170").exposure, Gt(0.8));
  EXPECT_EQ(QualityOf("-f lavfi -i color=black:s=640x360", "null").exposure, -1);
}

TEST(Quality, TellsACoveredLensFromAScene) {
  EXPECT_FALSE(QualityOf(kScene, "scale=640:360").blank);
  EXPECT_FALSE(QualityOf(kScene, "scale=640:360,boxblur=3").blank) << "only out of focus";
  EXPECT_TRUE(QualityOf("-f lavfi -i color=0x302820:s=640x360", "noise=alls=6:allf=t").blank);
  EXPECT_TRUE(QualityOf("-f lavfi -i color=black:s=640x360", "null").blank);
}

TEST(Quality, MeasuresAPictureOfAnySize) {
  for (const auto& [width, height] : {std::pair(1, 1), std::pair(2, 30), std::pair(41, 39)}) {
    const auto picture =
        GrayPicture(fmt::format("-f lavfi -i color=gray:s=64x64 -vf scale={}:{}", width, height),
                    width, height);
    const PictureQuality quality = MeasureQuality(LumaReducer({}).Reduce(picture));
    EXPECT_EQ(quality.sharpness, 0);
    EXPECT_EQ(quality.exposure, 0);
    EXPECT_TRUE(quality.blank);
  }
}

TEST(Quality, LooksAtAKeyframeEveryFewSeconds) {
  const VideoFile file(Stream("quiet-360p"));
  Samples sink;
  std::vector<std::unique_ptr<Detector>> detectors;
  detectors.push_back(*MakeDetector("quality", "front", sink));
  StreamWatcher watcher("front", std::move(detectors), sink);
  watcher.OnFormat(file.format);
  for (const Packet& packet : file.packets) watcher.OnPacket(packet);
  const int64_t looks = file.packets.back().monotonic_ns / (2 * kNanosPerSecond) + 1;
  EXPECT_NEAR(static_cast<double>(watcher.stats().decoded_frames), static_cast<double>(looks), 1);
  for (const SignalKind& signal : QualityDetector::kSignals) {
    const auto samples = sink.Of(signal.name);
    ASSERT_EQ(samples.size(), watcher.stats().decoded_frames);
    for (size_t i = 1; i < samples.size(); ++i) {
      EXPECT_EQ(samples[i]->value.type(), signal.type);
      EXPECT_LT(samples[i]->monotonic_ns - samples[i - 1]->monotonic_ns, samples[i]->valid_ns);
    }
  }
  EXPECT_FALSE(sink.Of("quality.blocked").back()->value.number());
}

TEST(Quality, CallsALensBlockedAfterThreeLooks) {
  Samples sink;
  auto detector = *MakeDetector("quality", "front", sink);
  PacketWatch sizes;
  detector->OnFormat({.codec = "rawvideo", .width = 640, .height = 360}, sizes);
  const auto scene = GrayPicture(kScene + " -vf scale=640:360", 640, 360);
  const auto dark = GrayPicture("-f lavfi -i color=black:s=640x360", 640, 360);
  LumaReducer reducer({});
  int64_t now_ns = 0;
  for (const auto& picture : {scene, dark, dark, scene, dark, dark, dark, dark, scene}) {
    now_ns += 2 * kNanosPerSecond;
    detector->OnPicture(
        {.frame = {.data = picture, .monotonic_ns = now_ns}, .luma = reducer.Reduce(picture)});
  }
  std::vector<bool> blocked;
  for (const SignalSample* sample : sink.Of("quality.blocked")) {
    blocked.push_back(sample->value.number() != 0);
  }
  EXPECT_THAT(blocked, ElementsAre(false, false, false, false, false, false, true, true, false));
}

}  // namespace
}  // namespace gleaner::edge
