// Cameras of the field, over RTSP and from their files: what comes out of a Camera, frame by frame,
// for a network camera that behaves as badly as real ones do. Time is what the camera reads: 40 ms
// a frame.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "common/status.h"
#include "edge/camera/camera.h"
#include "tests/edge/camera/camera_rig.h"
#include "tests/edge/camera/field_watch.h"
#include "tests/edge/camera/film.h"
#include "tests/edge/camera/rtsp_camera.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;

TEST(FieldRtsp, BFramesHaveTheirOwnTimesFromTheFirstGroupOfPicturesOn) {
  for (const bool announced : {true, false}) {
    RtspCamera server(
        MakeAndLoad(kBFrames),
        RtspBehavior{.stamp = stamps::True(123'456), .loop = true, .sets_in_sdp = announced});
    const auto watched = Watch(server, 500);
    ExpectTrueTimes(watched->format(), watched->packets(), kTicks, 200);
    EXPECT_EQ(watched->packets().front().pts, 0);
    EXPECT_EQ(watched->status.problem, "");
    EXPECT_EQ(watched->packets().back().run, 0u);
  }
}

TEST(FieldRtsp, BFramesOfH265HaveTheirOwnTimesToo) {
  RtspCamera server(MakeAndLoad("-c:v libx265 -preset ultrafast -x265-params "
                                "log-level=none:keyint=50:bframes=3:pools=1 -pix_fmt yuv420p"),
                    RtspBehavior{.loop = true});
  const auto watched = Watch(server, 400);
  EXPECT_EQ(watched->format().codec, "hevc");
  ExpectTrueTimes(watched->format(), watched->packets(), kTicks, 200);
}

TEST(FieldRtsp, AFrameThatComesAsSeveralSlicesIsOnePacket) {
  for (const bool marked : {false, true}) {
    RtspCamera server(MakeAndLoad(std::string(kBFrames) + " -x264-params slices=4"),
                      RtspBehavior{.loop = true, .marker_on_slices = marked});
    const auto watched = Watch(server, 300);
    ExpectTrueTimes(watched->format(), watched->packets(), kTicks, 200);
    EXPECT_EQ(watched->status.problem, "");
  }
}

TEST(FieldRtsp, ACameraWhoseKeyframesAreFarApartIsWaitedForHoweverLongThatTakes) {
  // 40 s between keyframes at 5 frames a second; joined in the middle, parameter sets in front of
  // keyframes only, and a stall timeout of 10 s.
  const Film film = Film::Load(MakeFilm(
      {.seconds = 80,
       .frames_per_s = 5,
       .encode = "-c:v libx264 -preset ultrafast -g 200 -keyint_min 200 -sc_threshold 0 -bf 0 "
                 "-pix_fmt yuv420p"}));
  RtspCamera server(film, RtspBehavior{.start = 20, .loop = true, .sets_in_sdp = false});
  struct : Collector {
    using Collector::Collector;
    void OnReconnecting() override {
      ++signs;
      said = camera->status();
    }
    Camera* camera = nullptr;
    int signs = 0;
    CameraStatus said;
  } collector(250);
  FakeClock clock;
  Camera camera(Rtsp(server.url()), clock, collector);
  collector.camera = &camera;
  camera.OnRead([&] { clock.Advance(200 * kMs); });
  ASSERT_TRUE(camera.Run(collector.stop.get_token()).ok());
  EXPECT_EQ(server.connections(), 1) << "never given up";
  EXPECT_TRUE(collector.packets.front().keyframe);
  EXPECT_EQ(collector.signs, 180) << "a sign of life with each frame";
  EXPECT_EQ(collector.said.state, CameraState::kOpening);
  EXPECT_EQ(collector.said.problem, "waiting for a keyframe: none among 180 frames in 36 s");
  EXPECT_EQ(collector.formats.front().width, 320);
  ExpectTrueTimes(collector.formats.front(), collector.packets, 5 * kTicks, 400);
}

TEST(FieldRtsp, ACameraThatFallsSilentBeforeItsFirstKeyframeIsLostAfterTheStallTimeout) {
  RtspCamera server(MakeAndLoad(kPlain),
                    RtspBehavior{.start = 1, .frames = 10, .sets_in_sdp = false});
  FakeClock clock;
  Collector collector;
  Camera camera(Rtsp(server.url()), clock, collector);
  std::jthread thread([&](std::stop_token stop) { EXPECT_TRUE(camera.Run(stop).ok()); });
  const auto eventually = [](auto condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return condition();
  };
  ASSERT_TRUE(eventually([&] { return !camera.status().problem.empty(); }));
  EXPECT_THAT(camera.status().problem, HasSubstr("waiting for a keyframe"));
  clock.Advance(11 * kS);
  ASSERT_TRUE(eventually([&] { return camera.status().state == CameraState::kReconnecting; }));
  EXPECT_EQ(camera.status().problem, "no packet for 10 s");
}

TEST(FieldRtsp, AClockOfAWrongRateIsFollowedAndTheOperatorIsTold) {
  for (const double rate : {0.84, 0.5}) {
    RtspCamera server(MakeAndLoad(kBFrames),
                      RtspBehavior{.stamp = stamps::Scaled(rate), .loop = true});
    const auto watched = Watch(server, 3000);
    ExpectSound(watched->packets());
    EXPECT_NEAR(watched->status.clock_rate, rate, 0.002);
    EXPECT_EQ(watched->status.problem,
              fmt::format("the camera's clock counts {} s in a second; its frames are timed by "
                          "their arrival",
                          rate));
    const Packet& first = watched->packets()[250];
    const Packet& last = watched->packets().back();
    EXPECT_NEAR(last.monotonic_ns - first.monotonic_ns, (2999 - 250) * kFrameNs, 150 * kMs)
        << "two minutes are two minutes";
    EXPECT_EQ(last.run, 0u);
  }
}

TEST(FieldRtsp, ASoundClockIsNotSpokenOf) {
  RtspCamera server(MakeAndLoad(kPlain),
                    RtspBehavior{.stamp = stamps::Scaled(1.0001), .loop = true});
  const auto watched = Watch(server, 1000);
  EXPECT_EQ(watched->status.problem, "");
  EXPECT_NEAR(watched->status.clock_rate, 1.0001, 0.0005);
}

TEST(FieldRtsp, AClockThatStepsByAnHourBeginsANewRunAndTimeGoesOn) {
  for (const int64_t by : {3600, -3600}) {
    for (const char* encode : {kPlain, kBFrames}) {
      RtspCamera server(
          MakeAndLoad(encode),
          RtspBehavior{.stamp = stamps::Jump(10 * 90'000, by * 90'000), .loop = true});
      const auto watched = Watch(server, 1000);
      ExpectSound(watched->packets());
      EXPECT_EQ(watched->packets().back().run, 1u);
      EXPECT_THAT(watched->status.problem, HasSubstr("the camera's clock jumped"));
      EXPECT_EQ(watched->status.dropped, 0u);
      const Packet& first = watched->packets()[50];
      const Packet& last = watched->packets().back();
      EXPECT_NEAR(last.monotonic_ns - first.monotonic_ns, (999 - 50) * kFrameNs, 200 * kMs);
      // There is room for those that are shown before the first one that comes after the jump.
      EXPECT_NEAR(last.pts - first.pts, (999 - 50) * kTicks, 18 * kTicks);
    }
  }
}

TEST(FieldRtsp, AFrameThatIsThreeSecondsEarlyEveryTwoSecondsAddsUpToNothing) {
  for (const char* encode : {kPlain, kBFrames}) {
    RtspCamera server(MakeAndLoad(encode),
                      RtspBehavior{.stamp = stamps::Glitch(50, -3 * 90'000), .loop = true});
    const auto watched = Watch(server, 1000);
    ExpectTrueTimes(watched->format(), watched->packets(), kTicks, 200);
    EXPECT_EQ(watched->packets().back().run, 0u);
    EXPECT_THAT(watched->status.problem, HasSubstr("the timestamps of single frames are wrong"));
    EXPECT_NEAR(watched->packets().back().monotonic_ns - watched->packets()[50].monotonic_ns,
                (999 - 50) * kFrameNs, 200 * kMs);
  }
}

TEST(FieldRtsp, FramesWithoutUsefulStampsAreTimedByTheirArrivalInTheOrderInWhichTheyAreShown) {
  for (const RtpStamp& stamp : {stamps::Constant(), stamps::WholeSeconds()}) {
    for (const char* encode : {kPlain, kBFrames}) {
      RtspCamera server(MakeAndLoad(encode), RtspBehavior{.stamp = stamp, .loop = true});
      const auto watched = Watch(server, 1000);
      ExpectSound(watched->packets());
      EXPECT_THAT(watched->status.problem, HasSubstr("timestamps are of no use"));
      size_t errors = 0;
      // From the first keyframe on that has these times.
      std::vector<Packet> packets = watched->packets();
      packets.erase(packets.begin(), packets.begin() + 100);
      int last = -1;
      int64_t last_pts = 0;
      for (const auto& [pts, number] : Numbers(watched->format(), packets, &errors)) {
        if (last >= 0) {
          EXPECT_EQ(number, (last + 1) % 200);
          EXPECT_NEAR(pts - last_pts, kTicks, kTicks / 4);
        }
        last = number;
        last_pts = pts;
      }
      EXPECT_EQ(errors, 0u);
    }
  }
}

TEST(FieldRtsp, AStampThatWrapsAroundIsNoJump) {
  for (const char* encode : {kPlain, kBFrames}) {
    RtspCamera server(
        MakeAndLoad(encode),
        RtspBehavior{.stamp = stamps::True((int64_t{1} << 32) - 6 * 90'000), .loop = true});
    const auto watched = Watch(server, 500);
    ExpectTrueTimes(watched->format(), watched->packets(), kTicks, 200);
    EXPECT_EQ(watched->packets().back().run, 0u);
    EXPECT_EQ(watched->status.problem, "");
  }
}

TEST(FieldRtsp, AClockThatRunsBackwardsIsOfNoUse) {
  for (const char* encode : {kPlain, kBFrames}) {
    RtspCamera server(MakeAndLoad(encode),
                      RtspBehavior{.stamp = [](int64_t, int64_t pts) { return 900'000'000 - pts; },
                                   .loop = true});
    const auto watched = Watch(server, 1000);
    ExpectSound(watched->packets());
    EXPECT_THAT(watched->status.problem, HasSubstr("timestamps are of no use"));
    EXPECT_LE(watched->packets().back().run, 1u);
    EXPECT_EQ(watched->status.dropped, 0u);
    EXPECT_NEAR(watched->packets().back().monotonic_ns - watched->packets()[100].monotonic_ns,
                (999 - 100) * kFrameNs, 300 * kMs);
  }
}

TEST(FieldRtsp, KeyframesOnlyHaveTheirOwnTimes) {
  RtspCamera server(MakeAndLoad("-c:v libx264 -preset veryfast -g 1 -pix_fmt yuv420p"),
                    RtspBehavior{.stamp = stamps::Jittered(1, 0), .loop = true});
  const auto watched = Watch(server, 400);
  ExpectTrueTimes(watched->format(), watched->packets(), kTicks, 200);
  EXPECT_TRUE(std::all_of(watched->packets().begin(), watched->packets().end(),
                          [](const Packet& packet) { return packet.keyframe; }));
}

class FieldFile : public CameraRig {
 protected:
  // All of a file, as fast as it goes.
  absl::Status ReadAll(const std::string& path) {
    FakeClock clock;
    Camera camera(FileOptions(path), clock, collector_);
    const absl::Status status = camera.Run({});
    status_ = camera.status();
    return status;
  }
  std::string Remux(const std::string& encode, const std::string& name) {
    return MakeVideo(name,
                     fmt::format("-i {} -c copy", MakeFilm({.seconds = 8, .encode = encode})));
  }
  static std::string Slurp(const std::string& path) {
    std::stringstream bytes;
    bytes << std::ifstream(path, std::ios::binary).rdbuf();
    return bytes.str();
  }

  Collector collector_;
  CameraStatus status_;
};

TEST_F(FieldFile, BFramesInEveryContainerHaveTheTimesThatTheFileShows) {
  for (const char* name : {"b.mkv", "b.mp4", "b.ts", "b.avi", "b.h264"}) {
    const std::string path = Remux(kBFrames, name);
    collector_.packets.clear();
    collector_.formats.clear();
    ASSERT_TRUE(ReadAll(path).ok()) << name;
    SCOPED_TRACE(name);
    ASSERT_EQ(collector_.packets.size(), 200u);
    EXPECT_EQ(status_.dropped, 0u);
    const TimeBase base = collector_.formats[0].time_base;
    ExpectTrueTimes(collector_.formats[0], collector_.packets,
                    base.denominator / (25 * base.numerator), 200);
  }
}

TEST_F(FieldFile, ALostPacketOfATransportStreamCostsAFrameAndIsReported) {
  const std::string whole = Slurp(Remux(kBFrames, "whole.ts"));
  // One of the packets that hold the middle of a picture.
  size_t at = whole.size() / 188 / 3 * 188;
  const auto middle_of_video = [&](size_t p) {
    const int pid = (whole[p + 1] & 31) << 8 | static_cast<uint8_t>(whole[p + 2]);
    return pid == 256 && (whole[p + 1] & 64) == 0;
  };
  while (!middle_of_video(at)) at += 188;
  const std::string path = WriteFile("lost.ts", whole.substr(0, at) + whole.substr(at + 188));
  EXPECT_TRUE(ReadAll(path).ok()) << "it is watched to its end";
  EXPECT_GE(collector_.packets.size(), 197u);
  EXPECT_LT(collector_.packets.size(), 200u);
  EXPECT_EQ(status_.damaged + collector_.packets.size(), 200u);
  EXPECT_THAT(status_.problem, HasSubstr("damaged on the way and left out"));
  EXPECT_EQ(status_.state, CameraState::kEnded);
  ExpectSound(collector_.packets);
}

TEST_F(FieldFile, AnotherPictureSizeIsToldOfAtItsFirstKeyframe) {
  const std::string large = Slurp(Remux(kPlain, "large.ts"));
  const std::string small = Slurp(MakeVideo(
      "small.ts",
      fmt::format("-i {} -c copy",
                  MakeFilm({.seconds = 8, .width = 240, .height = 136, .encode = kPlain}))));
  const std::string path = WriteFile("both.ts", large + small);
  ASSERT_TRUE(ReadAll(path).ok());
  ASSERT_EQ(collector_.formats.size(), 2u);
  EXPECT_EQ(collector_.formats[0].width, 320);
  EXPECT_EQ(collector_.formats[1].width, 240);
  EXPECT_GT(collector_.formats[1].parameters->extradata_size, 0);
  EXPECT_GE(collector_.packets.size(), 398u);
  ExpectSound(collector_.packets);
}

}  // namespace
}  // namespace gleaner::edge
