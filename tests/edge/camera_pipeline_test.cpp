#include "edge/camera_pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/edge/clip/clip_rig.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kS = kNanosPerSecond;

class CameraPipelineTest : public ClipRig {
 protected:
  std::unique_ptr<CameraPipeline> Open(Recorder& recorder) {
    auto pipeline =
        std::make_unique<CameraPipeline>(0, "front", std::vector<std::unique_ptr<Detector>>(),
                                         std::vector<std::string>{"openh264"}, recorder);
    pipeline->SetProgress(std::make_shared<Progress>("camera front", 60 * kS, clock_));
    return pipeline;
  }
};

TEST_F(CameraPipelineTest, LeavesOutWhatCannotBeDecodedAfterAReconnect) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const auto pipeline = Open(recorder);
  RuleOptions rule;
  rule.name = "hand";
  rule.when = "motion > 0.02";
  rule.pre_ns = 1 * kS;
  rule.post_ns = 3 * kS;
  pipeline->OnFormat(cup.format);
  for (size_t i = 0; i < cup.packets.size(); ++i) {
    // The camera is away from frame 75 on and comes back at frame 100; keyframes are every 30.
    if (i == 75) pipeline->OnReconnecting();
    if (i < 75 || i >= 100) pipeline->OnPacket(cup.packets[i]);
    if (i == 70) recorder.OnFiring({&rule, cup.packets[i].monotonic_ns}, {});
  }
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  CheckVideo(clips[0]);
  const std::vector<int64_t> pts = PtsOf(clips[0].manifest.video(0));
  const auto gap = std::find(pts.begin(), pts.end(), 74'000);
  ASSERT_NE(gap, pts.end());
  EXPECT_EQ(*(gap + 1), 120'000);
}

TEST_F(CameraPipelineTest, SpeaksOfDamagedFramesForAMinute) {
  const Recording vtest = ReadFootage(Footage("vtest.avi"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const auto pipeline = Open(recorder);
  pipeline->OnFormat(vtest.format);
  const auto feed = [&](Packet packet, int64_t after_ns) {
    packet.monotonic_ns += after_ns;
    pipeline->OnPacket(packet);
  };
  for (size_t i = 0; i < 10; ++i) feed(vtest.packets[i], 0);
  EXPECT_EQ(pipeline->problem(), "");
  Packet damaged = vtest.packets[10];
  AvPtr<AVPacket> zeros(av_packet_clone(damaged.data.get()));
  av_packet_make_writable(zeros.get());
  std::fill_n(zeros->data, zeros->size, uint8_t{0});
  damaged.data = std::shared_ptr<const AVPacket>(zeros.release(), AvDeleter());
  feed(damaged, 0);
  feed(vtest.packets[11], 0);
  EXPECT_EQ(pipeline->problem(), "1 damaged frames were left out");
  feed(vtest.packets[12], 59 * kS);
  EXPECT_NE(pipeline->problem(), "");
  feed(vtest.packets[13], 61 * kS);
  EXPECT_EQ(pipeline->problem(), "");
}

}  // namespace
}  // namespace gleaner::edge
