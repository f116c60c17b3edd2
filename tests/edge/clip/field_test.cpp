// What a clip makes of cameras whose times or keyframes aren't as one would wish.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "tests/edge/clip/recorder_testing.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;

class FieldClip : public RecorderRig {
 protected:
  // A copy of a packet, its times moved.
  static Packet Moved(const Packet& packet, int64_t ticks) {
    Packet moved = packet;
    AvPtr<AVPacket> data(av_packet_clone(packet.data.get()));
    moved.pts = data->pts += ticks;
    moved.dts = data->dts += ticks;
    moved.data = std::shared_ptr<const AVPacket>(data.release(), AvDeleter());
    return moved;
  }
};

TEST_F(FieldClip, EndsWhereTheCamerasClockJumpsAndTheNextOneBeginsAfterIt) {
  Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  for (size_t i = 130; i < cup.packets.size(); ++i) {
    cup.packets[i] = Moved(cup.packets[i], 26'777 * 3600);
    cup.packets[i].run = 1;
  }
  const RuleOptions rule = Rule(2 * kS, 1 * kS);
  Recorder recorder(Options({"front"}, rule.pre_ns), *spool_, clock_);
  recorder.OnFormat(0, cup.format, "remux");
  for (size_t i = 0; i < cup.packets.size(); ++i) {
    recorder.OnPacket(0, cup.packets[i]);
    if (i == 110 || i == 170) {
      recorder.OnFiring({&rule, cup.packets[i].monotonic_ns}, kSignals);
    }
  }
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 2u);
  for (const TakenClip& clip : clips) CheckVideo(clip);
  const v1::ClipManifest& before = clips[0].manifest;
  EXPECT_EQ(before.shortfall(), "camera front: the camera's clock jumped, 0.3 s before the end");
  EXPECT_EQ(PtsOf(before.video(0)).back(), 129'000);
  EXPECT_FALSE(before.truncated());
  // The first keyframe after the jump.
  const v1::ClipManifest& after = clips[1].manifest;
  EXPECT_EQ(after.video(0).first_pts(), 150'000 + int64_t{26'777} * 3600);
  EXPECT_EQ(after.shortfall(), "camera front: pre-roll ring held 0.7 s of 2 s");
}

TEST_F(FieldClip, WritesNoTwoFramesAtOneTime) {
  Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  // Frame 100 says that it is shown when frame 97 is, 105 as 104.
  for (const auto& [frame, as] : {std::pair(100, 97), std::pair(105, 104)}) {
    Packet& packet = cup.packets[frame];
    AvPtr<AVPacket> data(av_packet_clone(packet.data.get()));
    packet.pts = data->pts = cup.packets[as].pts;
    packet.dts = data->dts = cup.packets[frame - 1].dts + 1;
    packet.data = std::shared_ptr<const AVPacket>(data.release(), AvDeleter());
  }
  const auto clips = Record(cup, Rule(2 * kS, 1 * kS), {kStart + 4 * kS});
  ASSERT_EQ(clips.size(), 1u);
  const v1::VideoTrack& track = clips[0].manifest.video(0);
  EXPECT_EQ(track.frame_count(), 103u);
  EXPECT_EQ(*std::min_element(track.pts_delta().begin(), track.pts_delta().end()), 1'000u);
  EXPECT_EQ(clips[0].manifest.shortfall(),
            "camera front: 2 frames left out, shown at the same time as others");
}

TEST_F(FieldClip, SaysThatKeyframesAreFurtherApartThanTheRingIsLong) {
  // A group of pictures that is larger than the ring: nothing of it is held.
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recording endless = cup;
  for (size_t i = 1; i < endless.packets.size(); ++i) endless.packets[i].keyframe = false;
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  RecorderOptions options = Options({"front", "endless"}, rule.pre_ns);
  options.ring_max_bytes = 500'000;
  Recorder recorder(options, *spool_, clock_);
  for (const size_t camera : {0, 1}) recorder.OnFormat(camera, cup.format, "remux");
  for (size_t i = 0; i < cup.packets.size(); ++i) {
    recorder.OnPacket(0, cup.packets[i]);
    recorder.OnPacket(1, endless.packets[i]);
    if (i == 120) recorder.OnFiring({&rule, cup.packets[i].monotonic_ns}, kSignals);
  }
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  ASSERT_EQ(clips[0].manifest.video_size(), 1);
  EXPECT_EQ(clips[0].manifest.shortfall(),
            "camera endless: no keyframe came with 27 frames, and the last one is longer ago than "
            "the pre-roll ring holds");
}

TEST_F(FieldClip, IsTheSameWhenTheDevicesWallClockStepsWhileItIsOpen) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  const RuleOptions rule = Rule(2 * kS, 1 * kS);
  for (const int64_t step_ns : {-7200 * kS, 7200 * kS}) {
    OpenSpool(step_ns > 0 ? 300ull << 20 : 200ull << 20);
    Recorder recorder(Options({"front"}, rule.pre_ns), *spool_, clock_);
    recorder.OnFormat(0, cup.format, "remux");
    const int64_t wall_ns = clock_.WallNs() - clock_.MonotonicNs();
    for (size_t i = 0; i < cup.packets.size(); ++i) {
      recorder.OnPacket(0, cup.packets[i]);
      if (i != 108) continue;
      recorder.OnFiring({&rule, cup.packets[i].monotonic_ns}, kSignals);
      clock_.StepWall(step_ns);
      clock_.SetWallUncertainty(0);
    }
    recorder.Finish();
    const auto clips = TakeAll();
    ASSERT_EQ(clips.size(), 1u);
    const v1::ClipManifest& manifest = clips[0].manifest;
    CheckVideo(clips[0]);
    EXPECT_EQ(manifest.shortfall(), "");
    EXPECT_EQ(manifest.fired_at().wall_unix_ns(), manifest.fired_at().monotonic_ns() + wall_ns)
        << "as the clock was at the firing";
    EXPECT_EQ(manifest.fired_at().wall_uncertainty_ns(), kNanosPerMilli);
    EXPECT_EQ(manifest.video(0).frame_count(), 105u);
    EXPECT_EQ(manifest.video(0).last_frame_monotonic_ns(), cup.packets[134].monotonic_ns);
    clock_.SetWallUncertainty(kNanosPerMilli);
  }
}

}  // namespace
}  // namespace gleaner::edge
