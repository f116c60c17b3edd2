// Clips from real footage, judged by FFmpeg.
#include "edge/clip/recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "common/limits.h"
#include "gleaner/v1/ingest.pb.h"
#include "tests/edge/clip/clip_rig.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kS = kNanosPerSecond;
const std::vector<std::string> kSignals = {"camera.front.motion"};

RuleOptions Rule(int64_t pre_ns, int64_t post_ns) {
  RuleOptions rule;
  rule.name = "hand";
  rule.when = "motion > 0.02";
  rule.pre_ns = pre_ns;
  rule.post_ns = post_ns;
  rule.priority = 7;
  return rule;
}

// Feeds a camera's packets; fires `rule` right after the first packet at or after each moment.
void Play(Recorder& recorder, size_t camera, const Recording& footage, const RuleOptions& rule,
          std::vector<int64_t> firings_ns) {
  recorder.OnFormat(camera, footage.format, "remux");
  size_t next = 0;
  for (const Packet& packet : footage.packets) {
    recorder.OnPacket(camera, packet);
    recorder.OnSample(
        {"camera.front.motion", packet.monotonic_ns, static_cast<double>(packet.pts % 7) / 100});
    if (next < firings_ns.size() && packet.monotonic_ns >= firings_ns[next]) {
      recorder.OnFiring({&rule, packet.monotonic_ns, next > 0}, kSignals);
      ++next;
    }
  }
}

class RecorderTest : public ClipRig {};

TEST_F(RecorderTest, CutsAClipAtTheKeyframeBeforeThePreRollAndAtTheExactEnd) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 2 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(2 * kS, 1 * kS);
  Play(recorder, 0, cup, rule, {kStart + 4 * kS});
  WaitForCommits(1);
  recorder.OnCameraEnd(0);
  recorder.Finish();

  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  const v1::ClipManifest& manifest = clips[0].manifest;
  CheckVideo(clips[0]);
  const v1::VideoTrack& track = manifest.video(0);
  EXPECT_EQ(track.encoder(), "remux");
  EXPECT_EQ(track.codec(), "h264");
  EXPECT_EQ(track.time_base_denominator(), 26777u);

  // By hand: the first frame at or after 4 s is number 108 (4.033 s), the pre-roll starts at
  // 2.033 s, which is frame 54.4, the keyframe before it is number 30; the window ends at 5.033 s,
  // before frame 135.
  EXPECT_EQ(track.first_pts(), 30'000);
  EXPECT_EQ(track.frame_count(), 105u);
  EXPECT_EQ(PtsOf(track).back(), 134'000);
  const int64_t fired_ns = cup.packets[108].monotonic_ns;
  EXPECT_EQ(manifest.fired_at().monotonic_ns(), fired_ns);
  EXPECT_EQ(manifest.requested().start_monotonic_ns(), fired_ns - 2 * kS);
  EXPECT_EQ(manifest.requested().end_monotonic_ns(), fired_ns + 1 * kS);
  EXPECT_EQ(manifest.delivered().start_monotonic_ns(), cup.packets[30].monotonic_ns);
  EXPECT_NEAR(manifest.delivered().end_monotonic_ns(), cup.packets[135].monotonic_ns, 1);
  EXPECT_EQ(track.first_frame_monotonic_ns(), cup.packets[30].monotonic_ns);
  EXPECT_EQ(manifest.shortfall(), "");
  EXPECT_FALSE(manifest.truncated());
}

TEST_F(RecorderTest, WritesAManifestThatSaysAllOfTheContract) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  clock_.SetWallUncertainty(5'000'000);
  Recorder recorder(Options({"front"}, 2 * kS), *spool_, clock_);
  recorder.SetPolicyVersion("p-3");
  const RuleOptions rule = Rule(2 * kS, 1 * kS);
  Play(recorder, 0, cup, rule, {kStart + 4 * kS});
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  const v1::ClipManifest& manifest = clips[0].manifest;
  EXPECT_EQ(manifest.device(), "cart-1");
  EXPECT_EQ(manifest.site(), "store-7");
  EXPECT_EQ(manifest.policy_version(), "p-3");
  EXPECT_NE(manifest.software_version(), "");
  EXPECT_EQ(manifest.key().boot_id(), AsBytes(spool_->boot_id()));
  EXPECT_EQ(manifest.key().sequence(), 1u);
  EXPECT_EQ(clips[0].stored.priority, 7u);
  const int64_t since_ns = clock_.MonotonicNs() - manifest.fired_at().monotonic_ns();
  EXPECT_EQ(manifest.fired_at().wall_unix_ns(), clock_.WallNs() - since_ns);
  EXPECT_EQ(manifest.fired_at().wall_uncertainty_ns(), 5'000'000);
  EXPECT_EQ(manifest.trigger().rule(), "hand");
  EXPECT_EQ(manifest.trigger().expression(), "motion > 0.02");
  EXPECT_EQ(manifest.trigger().priority(), 7u);
  EXPECT_THAT(manifest.trigger().firing_monotonic_ns(),
              ElementsAre(manifest.fired_at().monotonic_ns()));

  ASSERT_EQ(manifest.objects_size(), 3);
  EXPECT_EQ(manifest.objects(0).kind(), v1::ClipObject::KIND_PREVIEW);
  EXPECT_EQ(manifest.objects(0).content_type(), "image/jpeg");
  EXPECT_EQ(manifest.objects(1).kind(), v1::ClipObject::KIND_SAMPLES);
  EXPECT_EQ(manifest.objects(2).kind(), v1::ClipObject::KIND_VIDEO);
  EXPECT_EQ(manifest.objects(2).content_type(), "video/mp4");

  // The signal over the delivered window: a sample a frame.
  ASSERT_EQ(manifest.trigger().signals_size(), 1);
  const v1::SignalTrace& evidence = manifest.trigger().signals(0);
  EXPECT_EQ(evidence.name(), "camera.front.motion");
  ASSERT_EQ(evidence.value_size(), 105);
  EXPECT_EQ(evidence.offset_us(0), 0);
  for (int i = 0; i < evidence.value_size(); ++i) {
    EXPECT_EQ(evidence.value(i), static_cast<double>((i + 30) * 1000 % 7) / 100);
  }
  v1::SampleSeries series;
  ASSERT_TRUE(series.ParseFromString(clips[0].objects[1]));
  ASSERT_EQ(series.signals_size(), 1);
  EXPECT_EQ(series.signals(0).SerializeAsString(), evidence.SerializeAsString());
}

TEST_F(RecorderTest, ShowsTheFrameOfTheFiringInThePreview) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 2 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(2 * kS, 1 * kS);
  Play(recorder, 0, cup, rule, {kStart + 4 * kS});
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  const std::string jpeg = Save(clips[0].objects[0], "preview.jpg");
  // FFmpeg's own rendering of frame 108, and of one a second later as a control.
  auto difference = [&](int frame) {
    const std::string report = folder_ / "psnr.txt";
    const std::string command = fmt::format(
        "ffmpeg -v error -nostdin -y -i {} -i {} -filter_complex "
        "\"[0:v]select=eq(n\\,{}),scale=320:240:flags=area,format=yuv420p[a];[1:v]format=yuv420p[b]"
        ";"
        "[a][b]psnr=stats_file={}\" -frames:v 1 -f null -",
        Footage("cup.mp4"), jpeg, frame, report);
    EXPECT_EQ(std::system(command.c_str()), 0);
    std::ifstream in(report);
    std::string word;
    while (in >> word) {
      if (word.starts_with("psnr_y:")) return std::stod(word.substr(7));
    }
    return 0.0;
  };
  const double same = difference(108);
  EXPECT_GT(same, 30);
  EXPECT_LT(difference(140), same - 3);
}

TEST_F(RecorderTest, ExtendsTheClipWhenTheSameRuleFiresAgain) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  Play(recorder, 0, cup, rule, {kStart + 2 * kS, kStart + 28 * kS / 10, kStart + 35 * kS / 10});
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u) << "one clip, one number";
  const v1::ClipManifest& manifest = clips[0].manifest;
  ASSERT_EQ(manifest.trigger().firing_monotonic_ns_size(), 3);
  EXPECT_EQ(manifest.fired_at().monotonic_ns(), manifest.trigger().firing_monotonic_ns(0));
  EXPECT_EQ(manifest.requested().end_monotonic_ns(),
            manifest.trigger().firing_monotonic_ns(2) + 1 * kS);
  EXPECT_EQ(manifest.shortfall(), "");
  CheckVideo(clips[0]);
}

TEST_F(RecorderTest, ClosesAClipAtItsGreatestLengthHoweverOftenTheRuleFires) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  RuleOptions rule = Rule(1 * kS, 1 * kS);
  rule.max_clip_ns = 3 * kS;
  std::vector<int64_t> firings;
  for (int i = 0; i < 20; ++i) firings.push_back(kStart + 2 * kS + i * kS / 5);
  Play(recorder, 0, cup, rule, firings);
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  const v1::Window& requested = clips[0].manifest.requested();
  EXPECT_EQ(requested.end_monotonic_ns() - requested.start_monotonic_ns(), 3 * kS);
  CheckVideo(clips[0]);
}

TEST_F(RecorderTest, GrowsAClipByMoreFiringsThanItsManifestLists) {
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

TEST_F(RecorderTest, GivesEachRuleItsOwnClip) {
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

TEST_F(RecorderTest, SaysHowMuchOfThePreRollThereWas) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 5 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(5 * kS, 1 * kS);
  Play(recorder, 0, cup, rule, {cup.packets[54].monotonic_ns});
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_EQ(clips[0].manifest.shortfall(), "camera front: pre-roll ring held 2.0 s of 5 s");
  EXPECT_EQ(clips[0].manifest.video(0).first_pts(), 0);
  CheckVideo(clips[0]);
}

TEST_F(RecorderTest, KeepsBFramesWholeAtBothEndsOfAClip) {
  const Recording box = ReadFootage(Footage("box.mp4"), kStart);
  Recorder recorder(Options({"front"}, 3 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(3 * kS, 2 * kS);
  Play(recorder, 0, box, rule, {kStart + 12 * kS});
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  CheckVideo(clips[0]);
  const v1::ClipManifest& manifest = clips[0].manifest;
  EXPECT_EQ(manifest.video(0).first_pts(), 8'343'000) << "the file's second keyframe";
  EXPECT_EQ(manifest.shortfall(), "");
  // Every frame of the window, and at most the reordering depth beyond it.
  std::vector<int64_t> expected;
  for (const Packet& packet : box.packets) {
    if (packet.pts >= 8'343'000 && packet.monotonic_ns < manifest.requested().end_monotonic_ns()) {
      expected.push_back(packet.pts);
    }
  }
  std::sort(expected.begin(), expected.end());
  std::vector<int64_t> delivered = PtsOf(manifest.video(0));
  ASSERT_GE(delivered.size(), expected.size());
  EXPECT_LE(delivered.size(), expected.size() + 5) << "one group of B-frames";
  delivered.resize(expected.size());
  EXPECT_EQ(delivered, expected);
}

TEST_F(RecorderTest, StartsAClipAtTheVeryBeginningOfABFrameFile) {
  const Recording box = ReadFootage(Footage("box.mp4"), kStart);
  ASSERT_LT(box.packets[0].dts, 0);
  Recorder recorder(Options({"front"}, 3 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  Play(recorder, 0, box, rule, {kStart + 2 * kS});
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_EQ(clips[0].manifest.video(0).first_pts(), 0);
  CheckVideo(clips[0]);
}

TEST_F(RecorderTest, CoversAllCamerasAndWaitsForTheSlowest) {
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

TEST_F(RecorderTest, DoesNotWaitForACameraThatHasEndedOrFallenSilent) {
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

TEST_F(RecorderTest, WaitsTenSecondsAfterTheEndForACameraThatFellSilentJustBeforeIt) {
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

TEST_F(RecorderTest, HoldsNoMoreThanARingOfWhatComesWhileAnotherCameraIsWaitedFor) {
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

TEST_F(RecorderTest, KeepsWhatThereIsWhenTheDaemonStops) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 60 * kS);
  Play(recorder, 0, cup, rule, {kStart + 4 * kS});
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_TRUE(clips[0].manifest.truncated());
  EXPECT_THAT(clips[0].manifest.shortfall(),
              HasSubstr("camera front: the daemon was stopped, 54.9 s before the end"));
  CheckVideo(clips[0]);
}

TEST_F(RecorderTest, BeginsAClipAfterALongOutageWithWhatCameAfterIt) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front", "dead"}, 2 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(2 * kS, 1 * kS);
  for (size_t camera : {0, 1}) {
    recorder.OnFormat(camera, cup.format, "remux");
    for (const Packet& packet : cup.packets) recorder.OnPacket(camera, packet);
  }
  // One camera comes back after more hours than a frame in a file can last.
  const int64_t outage_s = 30 * 3600;
  for (size_t i = 0; i < cup.packets.size(); ++i) {
    Packet packet = cup.packets[i];
    packet.pts += outage_s * 26'777;
    packet.dts += outage_s * 26'777;
    packet.monotonic_ns += outage_s * kS;
    recorder.OnPacket(0, packet);
    if (i == 30) recorder.OnFiring({&rule, packet.monotonic_ns}, kSignals);
  }
  recorder.OnCameraEnd(1);
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  CheckVideo(clips[0]);
  const v1::ClipManifest& manifest = clips[0].manifest;
  EXPECT_EQ(manifest.delivered().start_monotonic_ns(), kStart + outage_s * kS);
  EXPECT_THAT(manifest.shortfall(), HasSubstr("camera front: pre-roll ring held 1.1 s of 2 s"));
  EXPECT_THAT(manifest.shortfall(), HasSubstr("camera dead delivered no frame"));
}

TEST_F(RecorderTest, BeginsNoWindowBeforeTheBoot) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), 0);
  Recorder recorder(Options({"front"}, 5 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(5 * kS, 1 * kS);
  Play(recorder, 0, cup, rule, {1 * kS});
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_EQ(clips[0].manifest.requested().start_monotonic_ns(), 0);
  EXPECT_EQ(clips[0].manifest.requested().end_monotonic_ns(),
            clips[0].manifest.fired_at().monotonic_ns() + 1 * kS);
  CheckVideo(clips[0]);
}

TEST_F(RecorderTest, DoesNotWaitForTheKeyframeOfACameraThatSendsNone) {
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
  EXPECT_EQ(clips[0].manifest.shortfall(), "camera blind delivered no frame");
  CheckVideo(clips[0]);
}

TEST_F(RecorderTest, KeepsTheVideoOfAsManyCamerasAsThereMayBe) {
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

// Sources of other shapes: name of the file, FFmpeg's arguments for it.
struct Shape {
  const char* file;
  const char* arguments;
};
class RecorderShapes : public ClipRig, public ::testing::WithParamInterface<Shape> {};

TEST_P(RecorderShapes, StartsAtALaterKeyframeAndEveryFrameDecodes) {
  const std::string path = folder_ / GetParam().file;
  const std::string command =
      fmt::format("ffmpeg -v error -nostdin -y -i {} -an -t 6 -vf scale=160:120 {} {}",
                  Footage("cup.mp4"), GetParam().arguments, path);
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const Recording footage = ReadFootage(path, kStart);
  EXPECT_EQ(footage.packets.size(), Judge(path).frame_pts.size()) << "no packet was left out";
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  Play(recorder, 0, footage, rule, {kStart + 4 * kS});
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  const Judged judged = CheckVideo(clips[0]);
  EXPECT_EQ(clips[0].manifest.shortfall(), "");
  EXPECT_GT(judged.frame_pts.size(), 50u);
  EXPECT_GT(judged.frame_pts.front(), footage.packets.front().pts) << "not the first keyframe";
  // The clip's times are the source's: none is missing in the window, none is made up.
  std::vector<int64_t> source;
  for (const Packet& packet : footage.packets) source.push_back(packet.pts);
  std::sort(source.begin(), source.end());
  auto from = std::find(source.begin(), source.end(), judged.frame_pts.front());
  ASSERT_LE(judged.frame_pts.size(), static_cast<size_t>(source.end() - from));
  EXPECT_TRUE(std::equal(judged.frame_pts.begin(), judged.frame_pts.end(), from));
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, RecorderShapes,
    ::testing::Values(
        // Open groups: frames after a keyframe refer to frames before it.
        Shape{"hevc.mp4",
              "-c:v libx265 -preset ultrafast -x265-params "
              "log-level=none:keyint=25:min-keyint=25:scenecut=0:bframes=3:open-gop=1"},
        // Annex B, parameter sets in the stream, a start that isn't 0.
        Shape{"h264.ts", "-c:v libx264 -preset veryfast -g 25 -bf 2"},
        Shape{"open.mkv", "-c:v libx264 -preset veryfast -g 25 -bf 3 -x264-params open-gop=1"},
        // Ticks as long as frames, negative DTS.
        Shape{"coarse.avi", "-c:v libx264 -preset veryfast -g 25 -bf 2 -r 25"}),
    [](const auto& info) {
      std::string name = info.param.file;
      std::replace(name.begin(), name.end(), '.', '_');
      return name;
    });

TEST_F(RecorderTest, TakesAClipAcrossTheSeamOfALoop) {
  FakeClock clock(kStart);
  CameraOptions options;
  options.name = "front";
  options.url = Footage("cup.mp4");
  options.pace = "fast";
  options.loop = true;
  struct Sink : PacketSink {
    void OnFormat(const VideoFormat& format) override { recorder->OnFormat(0, format, "remux"); }
    void OnPacket(const Packet& packet) override {
      recorder->OnPacket(0, packet);
      if (++count == 220) recorder->OnFiring({rule, packet.monotonic_ns}, kSignals);
      if (count == 300) stop.request_stop();
    }
    Recorder* recorder;
    const RuleOptions* rule;
    int count = 0;
    std::stop_source stop;
  } sink;
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  sink.recorder = &recorder;
  sink.rule = &rule;
  Camera camera(options, clock, sink);
  ASSERT_TRUE(camera.Run(sink.stop.get_token()).ok());
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  CheckVideo(clips[0]);
  EXPECT_EQ(clips[0].manifest.video(0).first_pts(), 180'000);
  for (uint32_t delta : clips[0].manifest.video(0).pts_delta()) EXPECT_EQ(delta, 1000u);
}

TEST_F(RecorderTest, EndsATrackWhereTheCameraChangesItsFormat) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  const Recording box = ReadFootage(Footage("box.mp4"), kStart + 5 * kS);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 4 * kS);
  recorder.OnFormat(0, cup.format, "remux");
  for (size_t i = 0; i < 130; ++i) {
    recorder.OnPacket(0, cup.packets[i]);
    if (i == 80) recorder.OnFiring({&rule, cup.packets[i].monotonic_ns}, kSignals);
  }
  recorder.OnFormat(0, box.format, "remux");
  recorder.OnPacket(0, box.packets[0]);
  WaitForCommits(1);
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  CheckVideo(clips[0]);
  EXPECT_EQ(PtsOf(clips[0].manifest.video(0)).back(), 129'000);
  EXPECT_THAT(clips[0].manifest.shortfall(), HasSubstr("the camera's format changed"));
}

// A rule that is true all the time, with the engine and the recorder wired as in the daemon.
class TrueRule : public ClipRig {
 protected:
  void SetUp() override {
    ClipRig::SetUp();
    RuleOptions rule = Rule(1 * kS, 1 * kS);
    rule.cooldown_ns = 3 * kS;
    rule.max_clip_ns = 60 * kS;
    engine_ = *TriggerEngine::Create({rule}, kSignals, [this](const Firing& firing) {
      if (!firing.extends) opened_ns_.push_back(firing.monotonic_ns);
      last_ns_ = firing.monotonic_ns;
      recorder_->OnFiring(firing, kSignals);
    });
    recorder_ = std::make_unique<Recorder>(Options({"front"}, 1 * kS), *spool_, clock_);
    recorder_->SetClipGone([this](const std::string& name, int64_t monotonic_ns) {
      engine_->OnClipGone(name, monotonic_ns);
      ++gone_;
    });
  }
  void Feed(const Packet& packet) {
    recorder_->OnPacket(0, packet);
    engine_->OnSample({kSignals[0], packet.monotonic_ns, 1});
  }
  // Until the rule tries to extend a clip that isn't there, and hears of it.
  void FeedUntilGone(const std::vector<Packet>& packets, size_t* next) {
    for (const int64_t before_ns = last_ns_; last_ns_ == before_ns; ++*next) Feed(packets[*next]);
    while (gone_ == 0) std::this_thread::yield();
  }

  std::unique_ptr<TriggerEngine> engine_;
  std::unique_ptr<Recorder> recorder_;
  std::vector<int64_t> opened_ns_;
  int64_t last_ns_ = 0;
  std::atomic<int> gone_ = 0;
};

TEST_F(TrueRule, OpensTheNextClipAfterItsCooldownWhenTheFormatCutTheFirst) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  const Recording box = ReadFootage(Footage("box.mp4"), kStart + 5 * kS);
  recorder_->OnFormat(0, cup.format, "remux");
  for (size_t i = 0; i < 130; ++i) Feed(cup.packets[i]);
  recorder_->OnFormat(0, box.format, "remux");
  recorder_->OnPacket(0, box.packets[0]);
  WaitForCommits(1);
  while (recorder_->open_clips() > 0) std::this_thread::yield();
  size_t next = 1;
  FeedUntilGone(box.packets, &next);
  const int64_t cut_ns = last_ns_;
  while (next < box.packets.size() && box.packets[next].monotonic_ns < cut_ns + 4 * kS) {
    Feed(box.packets[next++]);
  }
  recorder_->Finish();
  ASSERT_EQ(opened_ns_.size(), 2u);
  EXPECT_NEAR(opened_ns_[1], cut_ns + 3 * kS, kS / 10);
  EXPECT_EQ(TakeAll().size(), 2u);
}

TEST_F(TrueRule, OpensAClipAfterItsCooldownWhenAPauseIsLifted) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  recorder_->OnFormat(0, cup.format, "remux");
  recorder_->SetPaused(true, "paused by policy p-4");
  size_t next = 0;
  while (next < 60) Feed(cup.packets[next++]);
  while (spool_->stats().suppressed_total == 0) std::this_thread::yield();
  EXPECT_EQ(opened_ns_.size(), 1u) << "one activity, one number";
  recorder_->SetPaused(false, "");
  FeedUntilGone(cup.packets, &next);
  const int64_t heard_ns = last_ns_;
  while (next < cup.packets.size()) Feed(cup.packets[next++]);
  recorder_->Finish();
  ASSERT_EQ(opened_ns_.size(), 2u);
  EXPECT_NEAR(opened_ns_[1], heard_ns + 3 * kS, kS / 10);
  EXPECT_EQ(TakeAll().size(), 1u);
  EXPECT_EQ(spool_->stats().suppressed_total, 1u);
}

TEST_F(RecorderTest, SuppressesFiringsWhilePaused) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  recorder.SetPaused(true, "paused by policy p-4");
  Play(recorder, 0, cup, rule, {kStart + 4 * kS});
  recorder.Finish();
  EXPECT_TRUE(TakeAll().empty());
  EXPECT_EQ(spool_->stats().suppressed_total, 1u);
}

TEST_F(RecorderTest, FailsTheNumberWhenTheSpoolIsFullAndGoesOn) {
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

TEST_F(RecorderTest, SaysForAnHourHowManyFiringsGotNoNumber) {
  OpenSpool(8ull << 20);
  // Fills the ledger with what the cloud has not acknowledged.
  std::vector<ClipKey> keys;
  for (;;) {
    const auto key = spool_->TakeSuppressed(std::string(100'000, 'r'), "paused");
    if (!key.ok()) break;
    keys.push_back(*key);
  }
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  recorder.OnFiring({&rule, kStart}, kSignals);
  recorder.SetPaused(true, "paused by policy p-4");
  recorder.OnFiring({&rule, kStart}, kSignals);
  recorder.SetPaused(false, "");
  while (!recorder.problem().starts_with("2 firings were lost")) std::this_thread::yield();
  EXPECT_THAT(recorder.problem(), HasSubstr("rule hand: the spool gives no number"));

  ASSERT_TRUE(spool_->AcknowledgeTombstones(keys).ok());
  Play(recorder, 0, cup, rule, {kStart + 4 * kS});
  recorder.Finish();
  EXPECT_EQ(TakeAll().size(), 1u);
  EXPECT_THAT(recorder.problem(), HasSubstr("2 firings were lost")) << "a clip makes up for none";
  clock_.Advance(3701 * kS);
  EXPECT_EQ(recorder.problem(), "");
}

TEST_F(RecorderTest, GivesSignsOfLifeAndHoldsNoPacketForAClipThatCanOnlyFail) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  RecorderOptions options = Options({"front"}, 1 * kS);
  options.ring_max_bytes = 300'000;
  Recorder recorder(options, *spool_, clock_);
  std::atomic<int> alive = 0;
  recorder.SetAlive([&] { ++alive; });
  // Storage that hangs: the recorder's thread comes back from its first commit when it is let go.
  std::promise<void> let_go;
  std::shared_future<void> hang = let_go.get_future();
  spool_->OnChange([hang] { hang.wait(); });
  RuleOptions rule = Rule(1 * kS, 1 * kS);
  RuleOptions later = Rule(1 * kS, 1 * kS);
  later.name = "later";
  recorder.OnFormat(0, cup.format, "remux");
  for (size_t i = 0; i < cup.packets.size(); ++i) {
    recorder.OnPacket(0, cup.packets[i]);
    if (i == 30) recorder.OnFiring({&rule, cup.packets[i].monotonic_ns}, kSignals);
  }
  const auto& newest = cup.packets.back().data;
  const long holders = newest.use_count();
  for (int i = 0; i < 5; ++i) {
    recorder.OnFiring({&later, cup.packets.back().monotonic_ns}, kSignals);
  }
  EXPECT_EQ(newest.use_count(), holders);
  EXPECT_GT(alive, 0);
  spool_->OnChange({});
  let_go.set_value();
  recorder.Finish();
  EXPECT_EQ(TakeAll().size(), 1u);
  EXPECT_GT(spool_->stats().failed_total, 0u);
  EXPECT_THAT(recorder.problem(), HasSubstr("storage could not follow the cameras"));
}

TEST_F(RecorderTest, FailsTheNumberWhenNoCameraHasAFrame) {
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, 1 * kS);
  recorder.OnFiring({&rule, kStart}, kSignals);
  recorder.Finish();
  EXPECT_TRUE(TakeAll().empty());
  EXPECT_EQ(spool_->stats().failed_total, 1u);
}

TEST_F(RecorderTest, ClosesAClipEarlyAtTheMostFramesThatAManifestHolds) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  Recorder recorder(Options({"front"}, 1 * kS), *spool_, clock_);
  RuleOptions rule = Rule(1 * kS, 600 * kS);
  rule.max_clip_ns = 10'000 * kS;
  recorder.OnFormat(0, cup.format, "remux");
  // A thousand frames a second: 600 s would be 600,000 frames.
  for (int i = 0; i < 80'000; ++i) {
    Packet packet = cup.packets[i == 0 ? 0 : 2];
    packet.pts = packet.dts = i * 27;
    packet.monotonic_ns = kStart + i * (kS / 1000);
    recorder.OnPacket(0, packet);
    if (i == 1500) recorder.OnFiring({&rule, packet.monotonic_ns}, kSignals);
  }
  WaitForCommits(1);
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_EQ(clips[0].manifest.video(0).frame_count(), 65'536u);
  EXPECT_LE(clips[0].stored.manifest.size(), 256u << 10);
  EXPECT_THAT(clips[0].manifest.shortfall(), HasSubstr("a clip's greatest size was reached"));
}

}  // namespace
}  // namespace gleaner::edge
