// Which clips are open, what they wait for, and how each number ends.
#include "edge/clip/open_clips.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <utility>

#include "common/limits.h"
#include "tests/edge/clip/recorder_testing.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OpenClipsTest : public RecorderRig {};

TEST_F(OpenClipsTest, ExtendsTheClipWhenTheSameRuleFiresAgain) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  const auto clips = Record(cup, Rule(1 * kS, 1 * kS),
                            {kStart + 2 * kS, kStart + 28 * kS / 10, kStart + 35 * kS / 10});
  ASSERT_EQ(clips.size(), 1u) << "one clip, one number";
  const v1::ClipManifest& manifest = clips[0].manifest;
  ASSERT_EQ(manifest.trigger().firing_monotonic_ns_size(), 3);
  EXPECT_EQ(manifest.fired_at().monotonic_ns(), manifest.trigger().firing_monotonic_ns(0));
  EXPECT_EQ(manifest.requested().end_monotonic_ns(),
            manifest.trigger().firing_monotonic_ns(2) + 1 * kS);
  EXPECT_EQ(manifest.shortfall(), "");
  CheckVideo(clips[0]);
}

TEST_F(OpenClipsTest, ClosesAClipAtItsGreatestLengthHoweverOftenTheRuleFires) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  RuleOptions rule = Rule(1 * kS, 1 * kS);
  rule.max_clip_ns = 3 * kS;
  std::vector<int64_t> firings;
  firings.reserve(20);
  for (int i = 0; i < 20; ++i) firings.push_back(kStart + 2 * kS + i * kS / 5);
  Play(recorder, 0, cup, rule, firings);
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  const v1::Window& requested = clips[0].manifest.requested();
  EXPECT_EQ(requested.end_monotonic_ns() - requested.start_monotonic_ns(), 3 * kS);
  CheckVideo(clips[0]);
}

TEST_F(OpenClipsTest, GrowsAClipByMoreFiringsThanItsManifestLists) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  RuleOptions rule = Rule(1 * kS, 5 * kS);
  rule.max_clip_ns = 600 * kS;
  recorder.OnFormat(0, cup.format, "remux");
  for (int64_t i = 0; i < 410; ++i) {  // a keyframe a second
    Packet packet = cup.packets[0];
    packet.pts = packet.dts = i * 26'777;
    packet.monotonic_ns = kStart + i * kS;
    recorder.OnPacket(0, packet);
    if (i < 400) recorder.OnFiring({&rule, packet.monotonic_ns, i > 0}, kSignals);
  }
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  const v1::ClipManifest& manifest = clips[0].manifest;
  EXPECT_EQ(manifest.requested().end_monotonic_ns(), kStart + (399 + 5) * kS);
  ASSERT_EQ(manifest.trigger().firing_monotonic_ns_size(), 256);
  EXPECT_EQ(manifest.trigger().firing_monotonic_ns(0), kStart);
  EXPECT_EQ(manifest.trigger().firing_monotonic_ns(254), kStart + 254 * kS);
  EXPECT_EQ(manifest.trigger().firing_monotonic_ns(255), kStart + 399 * kS);
}

TEST_F(OpenClipsTest, GivesEachRuleItsOwnClip) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  RuleOptions one = Rule(1 * kS, 1 * kS);
  RuleOptions two = Rule(1 * kS, 2 * kS);
  two.name = "scale";
  recorder.OnFormat(0, cup.format, "remux");
  for (size_t i = 0; i < cup.packets.size(); ++i) {
    recorder.OnPacket(0, cup.packets[i]);
    if (i == 80) recorder.OnFiring({&one, cup.packets[i].monotonic_ns}, {});
    if (i == 90) recorder.OnFiring({&two, cup.packets[i].monotonic_ns}, {});
  }
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 2u);
  EXPECT_EQ(clips[0].manifest.trigger().rule(), "hand");
  EXPECT_EQ(clips[1].manifest.trigger().rule(), "scale");
  for (const TakenClip& clip : clips) CheckVideo(clip);
}

TEST_F(OpenClipsTest, CoversAllCamerasAndWaitsForTheSlowest) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  const Recording box = ReadFootage(Footage("box.mp4"), kStart);
  Recorder recorder(Options({"front", "back"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  recorder.OnFormat(0, cup.format, "remux");
  recorder.OnFormat(1, box.format, "remux");
  size_t b = 0;
  for (size_t a = 0; a < cup.packets.size(); ++a) {
    recorder.OnPacket(0, cup.packets[a]);
    if (a == 60) recorder.OnFiring({&rule, cup.packets[a].monotonic_ns}, kSignals);
    // The other camera lags half a second behind.
    while (b < box.packets.size() &&
           box.packets[b].monotonic_ns < cup.packets[a].monotonic_ns - kS / 2) {
      recorder.OnPacket(1, box.packets[b++]);
    }
  }
  WaitForCommits(1);
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  const v1::ClipManifest& manifest = clips[0].manifest;
  ASSERT_EQ(manifest.video_size(), 2);
  EXPECT_EQ(manifest.video(0).camera(), "front");
  EXPECT_EQ(manifest.video(1).camera(), "back");
  EXPECT_EQ(manifest.shortfall(), "");
  EXPECT_EQ(manifest.objects_size(), 3) << "preview and two videos; no sample was ever taken";
  CheckVideo(clips[0], 0);
  CheckVideo(clips[0], 1);
}

TEST_F(OpenClipsTest, KeepsTheVideoOfAsManyCamerasAsThereMayBe) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  std::vector<std::string> cameras;
  for (size_t i = 0; i < kMaxCameras; ++i) cameras.push_back(fmt::format("camera-{}", i));
  Recorder recorder(Options(cameras, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  for (size_t camera = 0; camera < kMaxCameras; ++camera) {
    recorder.OnFormat(camera, cup.format, "remux");
  }
  for (size_t i = 0; i < 120; ++i) {
    for (size_t camera = 0; camera < kMaxCameras; ++camera) {
      recorder.OnPacket(camera, cup.packets[i]);
    }
    recorder.OnSample({"camera.camera-0.motion", cup.packets[i].monotonic_ns, 0.5});
    if (i == 60) recorder.OnFiring({&rule, cup.packets[i].monotonic_ns}, kSignals);
  }
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_EQ(clips[0].manifest.video_size(), static_cast<int>(kMaxCameras));
  EXPECT_EQ(clips[0].manifest.objects_size(), static_cast<int>(kMaxCameras) + 2)
      << "preview and samples as well";
  CheckVideo(clips[0], kMaxCameras - 1);
}

TEST_F(OpenClipsTest, DoesNotWaitForACameraThatHasEndedOrFallenSilent) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front", "ended", "silent"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  for (size_t camera : {0, 1, 2}) recorder.OnFormat(camera, cup.format, "remux");
  for (size_t i = 0; i < cup.packets.size(); ++i) {
    recorder.OnPacket(0, cup.packets[i]);
    if (i < 70) recorder.OnPacket(1, cup.packets[i]);
    if (i < 65) recorder.OnPacket(2, cup.packets[i]);
    if (i == 60) recorder.OnFiring({&rule, cup.packets[i].monotonic_ns}, kSignals);
    if (i == 70) recorder.OnCameraEnd(1);
  }
  // A second clip, of another rule: once it is open, the recorder has seen all that came before.
  RuleOptions last = Rule(1 * kS, 60 * kS);
  last.name = "last";
  recorder.OnFiring({&last, cup.packets.back().monotonic_ns}, kSignals);
  while (recorder.open_clips() < 2) std::this_thread::yield();
  clock_.Advance(11 * kS);
  EXPECT_EQ(recorder.open_clips(), 2u) << "10 s must pass after the end";
  clock_.Advance(1 * kS);
  WaitForCommits(1);
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  const std::string& shortfall = clips[0].manifest.shortfall();
  EXPECT_THAT(shortfall, HasSubstr("camera ended: the camera ended, 0.6 s before the end"));
  EXPECT_THAT(shortfall, HasSubstr("camera silent: the camera fell silent, 0.8 s before the end"));
  EXPECT_THAT(shortfall, Not(HasSubstr("camera front:")));
  EXPECT_FALSE(clips[0].manifest.truncated());
  for (int n : {0, 1, 2}) CheckVideo(clips[0], n);
}

TEST_F(OpenClipsTest, WaitsTenSecondsAfterTheEndForACameraThatFellSilentJustBeforeIt) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front", "silent"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 40 * kS);
  for (size_t camera : {0, 1}) recorder.OnFormat(camera, cup.format, "remux");
  for (size_t i = 0; i < 60; ++i) {
    for (size_t camera : {0, 1}) recorder.OnPacket(camera, cup.packets[i]);
  }
  const int64_t fired_ns = cup.packets[59].monotonic_ns;
  recorder.OnFiring({&rule, fired_ns}, kSignals);
  while (recorder.open_clips() < 1) std::this_thread::yield();
  clock_.Advance(39 * kS);
  recorder.OnPacket(1, cup.packets[60]);
  Packet last = cup.packets[90];  // a keyframe
  last.pts = last.dts += 60 * 26'777;
  last.monotonic_ns += 60 * kS;
  recorder.OnPacket(0, last);
  clock_.Advance(10 * kS);
  EXPECT_EQ(recorder.open_clips(), 1u);
  clock_.Advance(2 * kS);
  WaitForCommits(1);
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_THAT(clips[0].manifest.shortfall(), HasSubstr("camera silent: the camera fell silent"));
}

TEST_F(OpenClipsTest, DoesNotWaitForTheKeyframeOfACameraThatSendsNone) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front", "blind"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  for (size_t camera : {0, 1}) recorder.OnFormat(camera, cup.format, "remux");
  for (size_t i = 0; i < cup.packets.size(); ++i) {
    recorder.OnPacket(0, cup.packets[i]);
    Packet packet = cup.packets[i];
    packet.keyframe = false;
    recorder.OnPacket(1, packet);
    if (i == 60) recorder.OnFiring({&rule, packet.monotonic_ns}, kSignals);
  }
  WaitForCommits(1);
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_EQ(clips[0].manifest.video_size(), 1);
  EXPECT_EQ(clips[0].manifest.shortfall(),
            "camera blind: no keyframe came with 27 frames, and it has sent none yet");
  CheckVideo(clips[0]);
}

TEST_F(OpenClipsTest, SaysThatTheLastKeyframeIsTooLongAgo) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front", "blind"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  for (size_t camera : {0, 1}) recorder.OnFormat(camera, cup.format, "remux");
  for (size_t i = 0; i < cup.packets.size(); ++i) {
    recorder.OnPacket(0, cup.packets[i]);
    Packet packet = cup.packets[i];
    packet.keyframe = i == 0;
    packet.run = i == 0 ? 0 : 1;  // its clock has jumped since
    recorder.OnPacket(1, packet);
    if (i == 60) recorder.OnFiring({&rule, packet.monotonic_ns}, kSignals);
  }
  WaitForCommits(1);
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_EQ(clips[0].manifest.shortfall(),
            "camera blind: no keyframe came with 27 frames, and the last one is longer ago than "
            "the pre-roll ring holds");
}

TEST_F(OpenClipsTest, HoldsNoMoreThanARingOfWhatComesWhileAnotherCameraIsWaitedFor) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  RecorderOptions options = Options({"front", "silent"}, 1 * kS);
  options.ring_max_bytes = 1 << 20;
  Recorder recorder(options, *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 8 * kS);
  for (size_t camera : {0, 1}) recorder.OnFormat(camera, cup.format, "remux");
  std::vector<Packet> sent;
  for (int64_t round = 0; round < 10; ++round) {
    for (const Packet& original : cup.packets) {
      Packet packet = original;
      packet.pts += round * 241'000;
      packet.dts += round * 241'000;
      packet.monotonic_ns += round * 9 * kS;
      packet.data = std::shared_ptr<const AVPacket>(av_packet_clone(original.data.get()),
                                                    [](const AVPacket* data) {
                                                      auto* mine = const_cast<AVPacket*>(data);
                                                      av_packet_free(&mine);
                                                    });
      recorder.OnPacket(0, packet);
      sent.push_back(packet);
      if (sent.size() == 60) recorder.OnFiring({&rule, packet.monotonic_ns}, kSignals);
    }
  }
  recorder.OnFormat(0, ReadFootage(Footage("box.mp4"), kStart).format, "remux");  // drops the ring
  const auto held_bytes = [&] {
    uint64_t bytes = 0;
    for (const Packet& packet : sent) bytes += packet.data.use_count() > 1 ? packet.size_bytes : 0;
    return bytes;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (held_bytes() > options.ring_max_bytes && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_LE(held_bytes(), options.ring_max_bytes);

  // A firing that moves the end gets what was kept, and the clip says that more is missing.
  const int64_t end_ns = sent[59].monotonic_ns + 8 * kS;
  recorder.OnFiring({&rule, end_ns - kS / 10, /*extends=*/true}, kSignals);
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  CheckVideo(clips[0]);
  EXPECT_GT(clips[0].manifest.delivered().end_monotonic_ns(), end_ns + 3 * kS);
  EXPECT_THAT(clips[0].manifest.shortfall(),
              HasSubstr("camera front: the clip grew later than its packets could be held"));
}

TEST_F(OpenClipsTest, FailsTheNumberWhenTheSpoolIsFullAndGoesOn) {
  OpenSpool(16ull << 20, "stop");
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  recorder.OnFormat(0, cup.format, "remux");
  // Loops the footage and fires each time, until well after the spool is full.
  const int64_t period_ns = 9 * kS;
  const int rounds = 50;
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < cup.packets.size(); ++i) {
      Packet packet = cup.packets[i];
      packet.pts += round * 241'000;
      packet.dts += round * 241'000;
      packet.monotonic_ns += round * period_ns;
      recorder.OnPacket(0, packet);
      if (i == 60) recorder.OnFiring({&rule, packet.monotonic_ns}, kSignals);
    }
  }
  recorder.Finish();
  const SpoolStats stats = spool_->stats();
  EXPECT_EQ(stats.committed_total + stats.pending_clips + stats.failed_total, uint64_t{rounds});
  EXPECT_GT(stats.pending_clips, 10u);
  EXPECT_GT(stats.failed_total, 0u);
}

TEST_F(OpenClipsTest, FailsTheNumberWhenNoCameraHasAFrame) {
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  recorder.OnFiring({&rule, kStart}, kSignals);
  recorder.Finish();
  EXPECT_TRUE(TakeAll().empty());
  EXPECT_EQ(spool_->stats().failed_total, 1u);
}

TEST_F(OpenClipsTest, FailsTheNumberOfAFiringBeyondTheMostClipsAndLeavesTheOthersOpen) {
  RecentSamples samples(1 * kS);
  Losses losses(clock_);
  OpenClips clips(1, *spool_, clock_, samples, losses);
  for (size_t i = 0; i <= OpenClips::kMax; ++i) {
    CaptureOptions options;
    options.cameras = {"front"};
    options.rule = Rule(1 * kS, 1 * kS);
    options.rule.name = fmt::format("rule-{}", i);
    options.fired_at.set_monotonic_ns(kStart);
    clips.Open(std::move(options), {});
  }
  EXPECT_EQ(clips.size(), 16u);
  EXPECT_EQ(spool_->stats().failed_total, 1u);
  EXPECT_THAT(losses.Problem(), HasSubstr("/17 failed: 16 clips are being captured already"));
  for (size_t i = 0; i < OpenClips::kMax; ++i) {
    EXPECT_TRUE(clips.Extend(fmt::format("rule-{}", i), kStart + kS / 2)) << i;
  }
  EXPECT_FALSE(clips.Extend("rule-16", kStart + kS / 2));

  // Without a frame there is nothing to keep of them.
  clips.CutAll();
  EXPECT_TRUE(clips.empty());
  EXPECT_EQ(clips.size(), 0u);
  EXPECT_EQ(spool_->stats().failed_total, 17u);
}

}  // namespace
}  // namespace gleaner::edge
