// Cameras on real footage, on an injected clock.
#include "edge/camera/camera.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/file.h"
#include "common/status.h"
#include "tests/data/footage.h"
#include "tests/edge/camera/camera_rig.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;

class CameraTest : public CameraRig {};

class FootageTest : public CameraRig, public ::testing::WithParamInterface<std::string> {};

TEST_P(FootageTest, KeepsTheFramesAndTimesThatFFmpegReads) {
  const std::string path = Footage(GetParam());
  Collector collector;
  ASSERT_TRUE(Read(FileOptions(path), collector).ok());
  ASSERT_EQ(collector.formats.size(), 1u);
  EXPECT_EQ(collector.SortedPts(), ReferencePts(path));
  EXPECT_TRUE(collector.packets.front().keyframe);
  int64_t last_dts = INT64_MIN;
  for (const Packet& packet : collector.packets) {
    EXPECT_GE(packet.pts, 0);
    EXPECT_LE(packet.dts, packet.pts);
    EXPECT_GT(packet.dts, last_dts);
    EXPECT_EQ(packet.data->pts, packet.pts);
    EXPECT_EQ(packet.data->dts, packet.dts);
    EXPECT_GT(packet.data->duration, 0);
    last_dts = packet.dts;
  }
}

TEST_P(FootageTest, LoopsWithoutAStepAndWithTheSameTicks) {
  const std::string path = Footage(GetParam());
  const std::vector<int64_t> once = ReferencePts(path);
  CameraOptions options = FileOptions(path);
  options.loop = true;
  Collector collector(once.size() * 3);
  ASSERT_TRUE(Read(options, collector).ok());
  ASSERT_EQ(collector.packets.size(), once.size() * 3);
  const std::vector<int64_t> pts = collector.SortedPts();
  const int64_t period = pts[once.size()] - pts[0];
  // The seam is a frame like any other: no longer than twice the longest in the file.
  int64_t longest = 0;
  for (size_t i = 1; i < once.size(); ++i) longest = std::max(longest, once[i] - once[i - 1]);
  const int64_t seam = pts[once.size()] - pts[once.size() - 1];
  EXPECT_GE(seam, 1);
  EXPECT_LE(seam, 2 * longest);
  for (size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(pts[i + once.size()], once[i] + period);
    EXPECT_EQ(pts[i + 2 * once.size()], once[i] + 2 * period);
  }
  for (size_t i = 1; i < collector.packets.size(); ++i) {
    ASSERT_GT(collector.packets[i].dts, collector.packets[i - 1].dts) << i;
  }
  EXPECT_EQ(collector.formats.size(), 1u) << "a loop is no new format";
}

INSTANTIATE_TEST_SUITE_P(Real, FootageTest,
                         ::testing::Values("box.mp4", "cup.mp4", "vtest.avi", "tree.avi"),
                         [](const auto& info) {
                           return info.param.substr(0, info.param.find('.'));
                         });

TEST_F(CameraTest, KeepsAStartThatIsNotZero) {
  const std::string path =
      MakeVideo("late.mkv", fmt::format("-itsoffset 7 -i {} -an -c copy -t 9", Footage("cup.mp4")));
  Collector collector;
  ASSERT_TRUE(Read(FileOptions(path), collector).ok());
  EXPECT_EQ(collector.packets.front().pts, 7000);  // Matroska counts milliseconds
}

TEST(Camera, PacesAFileByItsTimesAgainstTheClock) {
  FakeClock clock;
  clock.AutoAdvance(true);
  const int64_t start_ns = clock.MonotonicNs();
  CameraOptions options = FileOptions(Footage("cup.mp4"));
  options.pace = "realtime";
  struct Watch : PacketSink {
    explicit Watch(FakeClock& clock) : clock(clock) {}
    void OnFormat(const VideoFormat&) override {}
    void OnPacket(const Packet& packet) override {
      EXPECT_EQ(clock.MonotonicNs(), packet.monotonic_ns);
      ++frames;
    }
    FakeClock& clock;
    int frames = 0;
  } watch(clock);
  Camera camera(options, clock, watch);
  ASSERT_TRUE(camera.Run({}).ok());
  EXPECT_EQ(watch.frames, 217);
  EXPECT_EQ(clock.MonotonicNs() - start_ns, av_rescale(216'000, 1'000'000'000, 26'777));
  EXPECT_EQ(camera.status().state, CameraState::kEnded);
  EXPECT_NEAR(26.8, 1.0 * camera.status().frames / 8.1, 0.1);
}

TEST(Camera, GoesOnFromNowWhereTheMachineSleptAndDoesNotRushAfterTheClock) {
  // Four seconds are made up for, six are let go.
  for (const int64_t slept_s : {4, 6}) {
    FakeClock clock;
    clock.AutoAdvance(true);
    const int64_t start_ns = clock.MonotonicNs();
    CameraOptions options = FileOptions(Footage("cup.mp4"));
    options.pace = "realtime";
    Collector collector;
    Camera camera(options, clock, collector);
    camera.OnRead([&, n = 0]() mutable {
      if (++n == 120) clock.Advance(slept_s * kNanosPerSecond);
    });
    ASSERT_TRUE(camera.Run({}).ok());
    ASSERT_EQ(collector.packets.size(), 217u);
    const auto ms = [&](size_t i) {
      return (collector.packets[i].monotonic_ns - start_ns) / kNanosPerMilli;
    };
    const int64_t lost_ms = slept_s > 5 ? slept_s * 1000 : 0;
    EXPECT_NEAR(ms(50), 50 * 37, 60) << slept_s;
    EXPECT_NEAR(ms(200) - ms(50), 150 * 37 + lost_ms, 160) << slept_s;
    for (size_t i = 1; i < collector.packets.size(); ++i) EXPECT_GT(ms(i), ms(i - 1)) << i;
  }
}

TEST(Camera, StandsStillWhileTheClockDoes) {
  FakeClock clock;
  CameraOptions options = FileOptions(Footage("cup.mp4"));
  options.pace = "realtime";
  Collector collector;
  Camera camera(options, clock, collector);
  std::jthread thread([&](std::stop_token stop) { EXPECT_TRUE(camera.Run(stop).ok()); });
  while (camera.status().frames < 1) std::this_thread::yield();
  thread.request_stop();
  thread.join();
  EXPECT_EQ(collector.packets.size(), 1u);
}

TEST_F(CameraTest, SaysWhatIsWrongWithAnInputThatCanNeverWork) {
  const std::string box = *ReadFile(Footage("box.mp4"), 4 << 20);
  const std::string tone = MakeVideo("tone.mp4", "-f lavfi -i sine=duration=1 -c:a aac");
  struct Case {
    std::string url;
    std::string says;
  };
  const std::vector<Case> cases = {
      {folder_ / "none.mp4", "No such file"},
      {WriteFile("empty.mp4", ""), "isn't a video"},
      {WriteFile("text.mp4", std::string(5000, 'x')), "isn't a video"},
      {WriteFile("moovless.mp4", box.substr(0, 9'000)), "isn't a video"},
      {WriteFile("list.m3u8", "#EXTM3U\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n"),
       "isn't a video"},
      {tone, "no video stream"},
      {MakeVideo("theora.mkv", fmt::format("-i {} -an -t 1 -c:v ffv1", Footage("cup.mp4"))),
       "codec ffv1 is not one that Gleaner reads"},
  };
  for (const Case& c : cases) {
    Collector collector;
    FakeClock clock;
    Camera camera(FileOptions(c.url), clock, collector);
    const absl::Status status = camera.Run({});
    ASSERT_FALSE(status.ok()) << c.url;
    EXPECT_THAT(std::string(Message(status)), HasSubstr(c.says));
    EXPECT_THAT(std::string(Message(status)), HasSubstr(c.url));
    EXPECT_EQ(camera.status().state, CameraState::kEnded);
    EXPECT_EQ(camera.status().problem, Message(status));
    EXPECT_TRUE(collector.packets.empty());
  }
}

TEST_F(CameraTest, DeliversWhatATruncatedFileHoldsAndThenSaysSo) {
  // cup.mp4 with its index in front, then cut in the middle.
  const std::string whole = MakeVideo(
      "whole.mp4", fmt::format("-i {} -an -c copy -movflags faststart", Footage("cup.mp4")));
  const std::string bytes = *ReadFile(whole, 4 << 20);
  const std::string path =
      WriteFile("cut.mp4", std::string_view(bytes).substr(0, bytes.size() / 2));
  Collector collector;
  const absl::Status status = Read(FileOptions(path), collector);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status.ToString();
  EXPECT_THAT(std::string(Message(status)), HasSubstr(path));
  EXPECT_GT(collector.packets.size(), 50u);
  EXPECT_LT(collector.packets.size(), 217u);
  size_t errors = 0;
  EXPECT_EQ(DecodedPts(collector.formats[0], collector.packets, &errors).size(),
            collector.packets.size());
}

TEST(V4l2Camera, WaitsForADeviceThatIsNotThere) {
  FakeClock clock;
  CameraOptions options;
  options.name = "usb";
  options.address = *CameraAddress::Parse("/dev/video-of-no-camera");
  Collector collector;
  Camera camera(options, clock, collector);
  std::jthread thread([&](std::stop_token stop) { EXPECT_TRUE(camera.Run(stop).ok()); });
  while (camera.status().state != CameraState::kReconnecting) std::this_thread::yield();
  EXPECT_EQ(camera.status().source, "v4l2");
  EXPECT_THAT(camera.status().problem, HasSubstr("/dev/video-of-no-camera: No such file"));
}

TEST(CameraOptions, ReportsEveryMistake) {
  auto reader = ConfigReader::Parse(
      "[camera]\nname = \"Front Door\"\nurl = \"http://x/y\"\npace = \"slow\"\n"
      "stall_timeout = \"10ms\"\n",
      "edge.toml");
  ASSERT_TRUE(reader.ok());
  auto table = reader->Table("camera");
  CameraOptions::Read(table);
  const absl::Status status = reader->Finish();
  for (const char* line : {"edge.toml:2", "edge.toml:3", "edge.toml:4", "edge.toml:5"}) {
    EXPECT_THAT(std::string(Message(status)), HasSubstr(line));
  }
}

TEST(CameraOptions, ReadsATable) {
  auto reader = ConfigReader::Parse(
      "[camera]\nname = \"front\"\nurl = \"rtsp://u:p@cam/1\"\nstall_timeout = \"3s\"\n",
      "edge.toml");
  ASSERT_TRUE(reader.ok());
  auto table = reader->Table("camera");
  const CameraOptions options = CameraOptions::Read(table);
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(options.address.shown(), "rtsp://cam");
  EXPECT_EQ(options.address.uri(), "rtsp://cam/1");
  EXPECT_EQ(options.login.user, "u");
  EXPECT_EQ(options.login.password, "p");
  EXPECT_EQ(options.stall_timeout_ns, 3 * kNanosPerSecond);
}

}  // namespace
}  // namespace gleaner::edge
