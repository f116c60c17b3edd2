// RTSP cameras: reading, losing and finding them again, on an injected clock.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "common/status.h"
#include "edge/camera/camera.h"
#include "tests/data/log_lines.h"
#include "tests/edge/camera/camera_rig.h"
#include "tests/edge/camera/rtsp_camera.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kS = kNanosPerSecond;

// Three seconds of a film without B-frames, 25 frames a second.
Film ShortFilm() {
  return Film::Load(MakeFilm(
      {.seconds = 3, .encode = "-c:v libx264 -preset ultrafast -bf 0 -g 25 -pix_fmt yuv420p"}));
}

CameraOptions RtspOptions(const std::string& url) {
  CameraOptions options;
  options.name = "door";
  options.address = *CameraAddress::Parse(url);
  return options;
}

// Polls in real time, since the network does; gives up after 20 s.
template <typename Condition>
bool Eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(RtspCamera, StopsAtOnceWhileAServerNeverAnswers) {
  RtspCamera server({}, std::vector<RtspBehavior>());
  FakeClock clock;
  Collector collector;
  Camera camera(RtspOptions(server.url()), clock, collector);
  std::jthread thread([&](std::stop_token stop) { EXPECT_TRUE(camera.Run(stop).ok()); });
  ASSERT_TRUE(Eventually([&] { return server.connections() == 1; }));
  const auto asked = std::chrono::steady_clock::now();
  thread.request_stop();
  thread.join();
  EXPECT_LT(std::chrono::steady_clock::now() - asked, std::chrono::seconds(2));
}

// Lines without end, answers to nothing that was asked, and questions.
TEST(RtspCamera, StopsAtOnceAndGivesUpInTimeWhileACameraTalksWithoutAPauseAndNeverAnswers) {
  for (const char* unit :
       {"\r\n", "RTSP/1.0 100 Continue\r\nCSeq: 1\r\n\r\n", "RTSP/1.0 200 OK\r\nCSeq: 77\r\n\r\n",
        "OPTIONS rtsp://camera/ RTSP/1.0\r\nCSeq: 1\r\n\r\n"}) {
    std::string flood;
    while (flood.size() < 64 << 10) flood += unit;
    RtspCamera server(ShortFilm(), RtspBehavior{.door = [flood](const RtspRequest&) {
                        return RtspBehavior::Answer{.status = "", .headers = "", .flood = flood};
                      }});
    FakeClock clock;
    Collector collector;
    Camera camera(RtspOptions(server.url()), clock, collector);
    std::jthread thread([&](std::stop_token stop) { EXPECT_TRUE(camera.Run(stop).ok()); });
    ASSERT_TRUE(Eventually([&] { return server.connections() == 1; }));
    clock.Advance(11 * kS);
    ASSERT_TRUE(Eventually([&] { return camera.status().state == CameraState::kReconnecting; }))
        << unit;
    EXPECT_THAT(camera.status().problem, HasSubstr("gave no answer for 10 s"));
    clock.Advance(1 * kS);
    ASSERT_TRUE(Eventually([&] { return server.connections() == 2; }));
    const auto asked = std::chrono::steady_clock::now();
    thread.request_stop();
    thread.join();
    EXPECT_LT(std::chrono::steady_clock::now() - asked, std::chrono::seconds(20)) << unit;
  }
}

// One picture in fragments that never end, and one that ends later than any picture does.
TEST(RtspCamera, APictureWithoutEndIsNotGatheredForEver) {
  Film film = ShortFilm();
  film.pictures.resize(10);
  film.pictures.back().nals = {"\x41" + std::string(40 << 20, '\xaa')};
  RtspCamera server(film, RtspBehavior{});
  FakeClock clock;
  Collector collector;
  Camera camera(RtspOptions(server.url()), clock, collector);
  std::jthread thread([&](std::stop_token stop) { EXPECT_TRUE(camera.Run(stop).ok()); });
  ASSERT_TRUE(Eventually([&] { return camera.status().state == CameraState::kReconnecting; }));
  EXPECT_THAT(camera.status().problem, HasSubstr("sends more than 32 MiB without a picture's end"));
  thread.request_stop();
  thread.join();
  for (const Packet& packet : collector.packets) EXPECT_LT(packet.data->size, 40 << 20);
}

TEST(RtspCamera, TriesAgainWhenAServerNeverAnswersAndSaysSoWithoutThePassword) {
  RtspCamera server({}, std::vector<RtspBehavior>());
  FakeClock clock;
  Collector collector;
  Camera camera(RtspOptions(server.url()), clock, collector);
  std::jthread thread([&](std::stop_token stop) { EXPECT_TRUE(camera.Run(stop).ok()); });
  ASSERT_TRUE(Eventually([&] { return server.connections() == 1; }));
  EXPECT_EQ(camera.status().state, CameraState::kOpening);
  clock.Advance(11 * kS);
  ASSERT_TRUE(Eventually([&] { return camera.status().state == CameraState::kReconnecting; }));
  EXPECT_THAT(camera.status().problem, HasSubstr("gave no answer for 10 s"));
  EXPECT_THAT(camera.status().problem, Not(HasSubstr("secret")));
  clock.Advance(1 * kS);
  EXPECT_TRUE(Eventually([&] { return server.connections() == 2; }));
}

TEST(RtspCamera, GivesASignAsOftenAsItsOptionsSayHoweverPatientItIs) {
  RtspCamera server({}, std::vector<RtspBehavior>());
  FakeClock clock;
  struct : PacketSink {
    void OnFormat(const VideoFormat&) override {}
    void OnPacket(const Packet&) override {}
    void OnReconnecting() override { sign_ns = clock->MonotonicNs(); }
    FakeClock* clock;
    std::atomic<int64_t> sign_ns = 0;
  } sink;
  sink.clock = &clock;
  CameraOptions options = RtspOptions(server.url());
  options.stall_timeout_ns = 600 * kS;
  Camera camera(options, clock, sink);
  std::jthread thread([&](std::stop_token stop) { EXPECT_TRUE(camera.Run(stop).ok()); });
  int64_t last_ns = clock.MonotonicNs();
  for (int connections = 1; connections <= 3; ++connections) {
    ASSERT_TRUE(Eventually([&] { return server.connections() == connections; }));
    clock.Advance(601 * kS);
    ASSERT_TRUE(Eventually([&] { return sink.sign_ns > last_ns; }));
    EXPECT_LE(sink.sign_ns - last_ns, options.MaxSilenceNs());
    last_ns = sink.sign_ns;
    clock.Advance(30 * kS);  // the longest wait before a try
  }
}

TEST(RtspCamera, TriesForEverWhenNobodyListens) {
  FakeClock clock;
  clock.AutoAdvance(true);
  Collector collector;
  Camera camera(RtspOptions("rtsp://127.0.0.1:1/live"), clock, collector);
  std::jthread thread([&](std::stop_token stop) { EXPECT_TRUE(camera.Run(stop).ok()); });
  const int64_t start_ns = clock.MonotonicNs();
  EXPECT_TRUE(Eventually([&] { return clock.MonotonicNs() - start_ns > 600 * kS; }));
  EXPECT_THAT(camera.status().problem, HasSubstr("Connection refused"));
}

TEST(RtspCamera, GoesOnWithoutAStepWhenTheStreamIsCutAndComesBack) {
  // The second time the camera counts from elsewhere, as cameras do after a restart.
  RtspBehavior first{.stamp = stamps::True(700'000), .loop = true, .frames = 90};
  first.then = RtspBehavior::Then::kClose;
  const RtspBehavior second{.stamp = stamps::True(5), .loop = true, .frames = 90};
  RtspCamera server(ShortFilm(), {first, second});
  FakeClock clock;
  clock.AutoAdvance(true);
  Collector collector(170);
  Camera camera(RtspOptions(server.url()), clock, collector);
  ASSERT_TRUE(camera.Run(collector.stop.get_token()).ok());
  EXPECT_EQ(server.connections(), 2);
  ASSERT_EQ(collector.formats.size(), 1u) << "the same format is no news";
  EXPECT_EQ(collector.formats[0].codec, "h264");
  EXPECT_EQ(collector.formats[0].width, 320);
  EXPECT_EQ(collector.formats[0].time_base.denominator, 90'000);
  EXPECT_GT(collector.formats[0].parameters->extradata_size, 0);
  ASSERT_EQ(collector.packets.size(), 170u);
  int seams = 0;
  for (size_t i = 1; i < collector.packets.size(); ++i) {
    const int64_t step = collector.packets[i].pts - collector.packets[i - 1].pts;
    ASSERT_GE(step, 1) << i;
    EXPECT_GE(collector.packets[i].monotonic_ns, collector.packets[i - 1].monotonic_ns);
    if (step == 3600) continue;
    ++seams;
    // As long as the camera was away: the back-off, at most half a second at first.
    EXPECT_LE(step, 3600 + 45'000) << i;
    EXPECT_TRUE(collector.packets[i].keyframe);
  }
  EXPECT_LE(seams, 1);
}

TEST(RtspCamera, TellsOfAnotherSizeFromTheFirstKeyframeThatHasIt) {
  // Parameter sets in front of each keyframe, as cameras send them.
  Film film = ShortFilm();
  const Film small = Film::Load(
      MakeFilm({.seconds = 3,
                .width = 240,
                .height = 136,
                .encode = "-c:v libx264 -preset ultrafast -bf 0 -g 25 -pix_fmt yuv420p"}));
  const auto with_sets = [](const Film& from) {
    std::vector<Film::Picture> pictures = from.pictures;
    for (Film::Picture& picture : pictures) {
      if (!picture.keyframe) continue;
      picture.nals.insert(picture.nals.begin(), from.parameter_sets.begin(),
                          from.parameter_sets.end());
    }
    return pictures;
  };
  film.pictures = with_sets(film);
  film.pictures.resize(50);
  for (Film::Picture picture : with_sets(small)) {
    picture.pts += 50 * 3600;
    film.pictures.push_back(picture);
  }
  RtspCamera server(film, RtspBehavior{.frames = 100, .sets_in_stream = false});
  FakeClock clock;
  struct : Collector {
    using Collector::Collector;
    void OnFormat(const VideoFormat& f) override {
      Collector::OnFormat(f);
      sizes.emplace_back(packets.size(), f.width);
    }
    std::vector<std::pair<size_t, int>> sizes;  // after how many packets
  } collector(95);
  Camera camera(RtspOptions(server.url()), clock, collector);
  ASSERT_TRUE(camera.Run(collector.stop.get_token()).ok());
  EXPECT_THAT(collector.sizes,
              ::testing::ElementsAre(::testing::Pair(0, 320), ::testing::Pair(50, 240)));
  EXPECT_TRUE(collector.packets[50].keyframe);
  EXPECT_EQ(collector.formats.back().height, 136);
  EXPECT_EQ(collector.formats.back().parameters->width, 240);
  EXPECT_GT(collector.formats.back().parameters->extradata_size, 0);
  EXPECT_EQ(camera.status().format.width, 240);
}

TEST(RtspCamera, FillsNoLogByChangingItsSizeWithEachPicture) {
  constexpr char kKeyframesAlone[] = "-c:v libx264 -preset ultrafast -bf 0 -g 1 -pix_fmt yuv420p";
  Film film = Film::Load(MakeFilm({.seconds = 3, .encode = kKeyframesAlone}));
  const Film other =
      Film::Load(MakeFilm({.seconds = 3, .width = 240, .height = 136, .encode = kKeyframesAlone}));
  for (size_t i = 0; i < film.pictures.size(); ++i) {
    const Film& from = i % 2 == 0 ? film : other;
    std::vector<std::string> nals = from.parameter_sets;
    nals.insert(nals.end(), from.pictures.at(i).nals.begin(), from.pictures.at(i).nals.end());
    film.pictures[i].nals = std::move(nals);
  }
  RtspCamera server(film, RtspBehavior{.frames = 60, .sets_in_stream = false});
  const LogLines log;
  FakeClock clock;
  Collector collector(50);
  Camera camera(RtspOptions(server.url()), clock, collector);
  ASSERT_TRUE(camera.Run(collector.stop.get_token()).ok());
  EXPECT_GE(collector.formats.size(), 40u);
  const std::string lines = log.text();
  EXPECT_LE(std::count(lines.begin(), lines.end(), '\n'), 20) << lines;
}

TEST(RtspCamera, IsLostWhenNoPacketComesForTheStallTimeout) {
  RtspCamera server(ShortFilm(), RtspBehavior{.frames = 60});
  FakeClock clock;
  Collector collector;
  Camera camera(RtspOptions(server.url()), clock, collector);
  std::jthread thread([&](std::stop_token stop) { EXPECT_TRUE(camera.Run(stop).ok()); });

  ASSERT_TRUE(Eventually([&] { return camera.status().frames >= 59; }));
  EXPECT_EQ(camera.status().state, CameraState::kStreaming);
  EXPECT_EQ(camera.status().problem, "");
  EXPECT_EQ(camera.status().source, "rtsp");
  clock.Advance(11 * kS);
  ASSERT_TRUE(Eventually([&] { return camera.status().state == CameraState::kReconnecting; }));
  EXPECT_THAT(camera.status().problem, HasSubstr("no packet for 10 s"));
  const uint64_t before = camera.status().frames;
  clock.Advance(1 * kS);
  ASSERT_TRUE(Eventually([&] { return camera.status().frames > before + 10; }));
  EXPECT_EQ(camera.status().state, CameraState::kStreaming);
}

}  // namespace
}  // namespace gleaner::edge
