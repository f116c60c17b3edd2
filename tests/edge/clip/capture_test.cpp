// What one clip holds: real footage played through a recorder, judged by FFmpeg.
#include "edge/clip/capture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <stop_token>
#include <utility>

#include "gleaner/v1/ingest.pb.h"
#include "tests/edge/clip/recorder_testing.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CaptureTest : public RecorderRig {};

TEST_F(CaptureTest, CutsAClipAtTheKeyframeBeforeThePreRollAndAtTheExactEnd) {
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

TEST_F(CaptureTest, WritesAManifestThatSaysAllOfTheContract) {
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

TEST_F(CaptureTest, ShowsTheFrameOfTheFiringInThePreview) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  const auto clips = Record(cup, Rule(2 * kS, 1 * kS), {kStart + 4 * kS});
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
    // No other thread runs.
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
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

TEST_F(CaptureTest, SaysHowMuchOfThePreRollThereWas) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  const auto clips = Record(cup, Rule(5 * kS, 1 * kS), {cup.packets[54].monotonic_ns});
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_EQ(clips[0].manifest.shortfall(), "camera front: pre-roll ring held 2.0 s of 5 s");
  EXPECT_EQ(clips[0].manifest.video(0).first_pts(), 0);
  CheckVideo(clips[0]);
}

TEST_F(CaptureTest, BeginsAClipAfterALongOutageWithWhatCameAfterIt) {
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

TEST_F(CaptureTest, BeginsNoWindowBeforeTheBoot) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), 0);
  const auto clips = Record(cup, Rule(5 * kS, 1 * kS), {1 * kS});
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_EQ(clips[0].manifest.requested().start_monotonic_ns(), 0);
  EXPECT_EQ(clips[0].manifest.requested().end_monotonic_ns(),
            clips[0].manifest.fired_at().monotonic_ns() + 1 * kS);
  CheckVideo(clips[0]);
}

TEST_F(CaptureTest, ClosesAClipEarlyAtTheMostFramesThatAManifestHolds) {
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

TEST_F(CaptureTest, KeepsBFramesWholeAtBothEndsOfAClip) {
  const Recording box = ReadFootage(Footage("box.mp4"), kStart);
  const auto clips = Record(box, Rule(3 * kS, 2 * kS), {kStart + 12 * kS});
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

TEST_F(CaptureTest, StartsAClipAtTheVeryBeginningOfABFrameFile) {
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

TEST_F(CaptureTest, TakesAClipAcrossTheSeamOfALoop) {
  FakeClock clock(kStart);
  CameraOptions options;
  options.name = "front";
  options.address = *CameraAddress::Parse(Footage("cup.mp4"));
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

TEST_F(CaptureTest, EndsATrackWhereTheCameraChangesItsFormat) {
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

// Sources of other shapes: name of the file, FFmpeg's arguments for it.
struct Shape {
  const char* file;
  const char* arguments;
};
class CaptureShapes : public RecorderRig, public ::testing::WithParamInterface<Shape> {};

TEST_P(CaptureShapes, StartsInMidStreamAndEveryFrameDecodes) {
  const std::string path = folder_ / GetParam().file;
  const std::string command =
      fmt::format("ffmpeg -v error -nostdin -y -i {} -an -t 6 -vf scale=160:120 {} {}",
                  Footage("cup.mp4"), GetParam().arguments, path);
  // No other thread runs.
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  Recording footage = ReadFootage(path, kStart);
  EXPECT_EQ(footage.packets.size(), Judge(path).frame_pts.size()) << "no packet was left out";
  // The camera is met at its second keyframe.
  auto second = footage.packets.begin() + 1;
  while (!second->keyframe) ++second;
  const bool open = second->open_start;
  footage.packets.erase(footage.packets.begin(), second);
  const auto clips = Record(footage, Rule(1 * kS, 1 * kS), {kStart + 4 * kS});
  ASSERT_EQ(clips.size(), 1u);
  const Judged judged = CheckVideo(clips[0]);
  EXPECT_EQ(clips[0].manifest.shortfall().find("open GOP") != std::string::npos, open);
  EXPECT_GT(judged.frame_pts.size(), 50u);
  // The clip's times are the source's: none is missing in the window, none is made up.
  std::vector<int64_t> source;
  for (const Packet& packet : footage.packets) source.push_back(packet.pts);
  std::sort(source.begin(), source.end());
  auto from = std::find(source.begin(), source.end(), judged.frame_pts.front());
  ASSERT_LE(judged.frame_pts.size(), static_cast<size_t>(source.end() - from));
  EXPECT_TRUE(std::equal(judged.frame_pts.begin(), judged.frame_pts.end(), from));
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, CaptureShapes,
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

// A rule that reads a slow detector fires a second after the frame that it speaks of; what moves
// the clip's end comes as late.
TEST_F(CaptureTest, WaitsForFiringsAsLongAsItsRulesSlowestSignalTakes) {
  const Recording cup = ReadFootage(Footage("cup.mp4"), kStart);
  RecorderOptions options = Options({"front"}, 1 * kS);
  options.latency_ns = 1 * kS;
  Recorder recorder(options, *spool_, clock_);
  const RuleOptions rule = Rule(1 * kS, kS / 2);
  recorder.OnFormat(0, cup.format, "remux");
  bool opened = false, extended = false;
  for (const Packet& packet : cup.packets) {
    recorder.OnPacket(0, packet);
    const int64_t at_ns = packet.monotonic_ns - kStart;
    if (at_ns >= 5 * kS && !std::exchange(opened, true)) {
      recorder.OnFiring({&rule, kStart + 4 * kS, /*extends=*/false, 1 * kS}, kSignals);
    }
    if (at_ns >= 54 * kS / 10 && !std::exchange(extended, true)) {
      recorder.OnFiring({&rule, kStart + 44 * kS / 10, /*extends=*/true, 1 * kS}, kSignals);
    }
  }
  recorder.Finish();
  const auto clips = TakeAll();
  ASSERT_EQ(clips.size(), 1u);
  CheckVideo(clips[0]);
  EXPECT_EQ(clips[0].manifest.shortfall(), "");
  EXPECT_EQ(clips[0].manifest.requested().start_monotonic_ns(), kStart + 3 * kS);
  EXPECT_EQ(clips[0].manifest.requested().end_monotonic_ns(), kStart + 49 * kS / 10);
  EXPECT_THAT(clips[0].manifest.trigger().firing_monotonic_ns(),
              ElementsAre(kStart + 4 * kS, kStart + 44 * kS / 10));
}

}  // namespace
}  // namespace gleaner::edge
