// RTSP cameras: reading, losing and finding them again, on an injected clock.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "common/status.h"
#include "edge/camera/camera.h"
#include "tests/data/footage.h"
#include "tests/edge/camera/rtsp_server.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kS = kNanosPerSecond;

struct Collector : PacketSink {
  void OnFormat(const VideoFormat& f) override {
    format = f;
    ++formats;
  }
  void OnPacket(const Packet& packet) override {
    packets.push_back(packet);
    if (packets.size() == limit) stop.request_stop();
  }
  size_t limit = SIZE_MAX;
  std::stop_source stop;
  VideoFormat format;
  int formats = 0;
  std::vector<Packet> packets;
};

Collector Read(const std::string& path) {
  FakeClock clock;
  Collector footage;
  CameraOptions options;
  options.name = "file";
  options.url = path;
  options.pace = "fast";
  Camera camera(options, clock, footage);
  EXPECT_TRUE(camera.Run({}).ok());
  return footage;
}

Collector Cup() { return Read(Footage("cup.mp4")); }

std::string Extradata(const Collector& footage) {
  const AVCodecParameters& parameters = *footage.format.parameters;
  return {reinterpret_cast<const char*>(parameters.extradata),
          static_cast<size_t>(parameters.extradata_size)};
}

CameraOptions RtspOptions(const std::string& url) {
  CameraOptions options;
  options.name = "door";
  options.url = url;
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
  RtspServer server({}, "", {});
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

TEST(RtspCamera, TriesAgainWhenAServerNeverAnswersAndSaysSoWithoutThePassword) {
  RtspServer server({}, "", {});
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
  RtspServer server({}, "", {});
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
  const Collector cup = Cup();
  // The second time the camera counts from elsewhere, as cameras do after a restart.
  RtspServer server(cup.packets, Extradata(cup),
                    {{.frames = 90, .then = RtspServer::Then::kClose, .first_timestamp = 700'000},
                     {.frames = 90, .then = RtspServer::Then::kHang, .first_timestamp = 5}});
  FakeClock clock;
  clock.AutoAdvance(true);
  Collector collector;
  collector.limit = 170;
  Camera camera(RtspOptions(server.url()), clock, collector);
  ASSERT_TRUE(camera.Run(collector.stop.get_token()).ok());
  EXPECT_EQ(server.connections(), 2);
  EXPECT_EQ(collector.formats, 1) << "the same format is no news";
  EXPECT_EQ(collector.format.codec, "h264");
  EXPECT_EQ(collector.format.width, 640);
  EXPECT_EQ(collector.format.time_base.denominator, 90'000);
  EXPECT_GT(collector.format.parameters->extradata_size, 0);
  ASSERT_EQ(collector.packets.size(), 170u);
  int seams = 0;
  for (size_t i = 1; i < collector.packets.size(); ++i) {
    const int64_t step = collector.packets[i].pts - collector.packets[i - 1].pts;
    ASSERT_GE(step, 1) << i;
    EXPECT_GE(collector.packets[i].monotonic_ns, collector.packets[i - 1].monotonic_ns);
    if (step == 3000) continue;
    ++seams;
    // As long as the camera was away: the back-off, at most half a second at first.
    EXPECT_LE(step, 3000 + 45'000) << i;
    EXPECT_TRUE(collector.packets[i].keyframe);
  }
  EXPECT_LE(seams, 1);
}

TEST(RtspCamera, TellsOfAnotherSizeFromTheFirstKeyframeThatHasIt) {
  const Collector cup = Cup();
  // Smaller, the parameter sets in front of each keyframe, as cameras send them.
  const auto folder =
      std::filesystem::path(::testing::TempDir()) / fmt::format("gleaner_rtsp_{}", getpid());
  std::filesystem::create_directories(folder);
  const std::string raw = folder / "small.h264", small_path = folder / "small.mp4";
  ASSERT_EQ(std::system(fmt::format("ffmpeg -v error -nostdin -y -i {} -t 3 -vf scale=320:240 -c:v "
                                    "libx264 -preset ultrafast -bf 0 -g 30 {} && ffmpeg -v error "
                                    "-nostdin -y -i {} -c copy {}",
                                    Footage("cup.mp4"), raw, raw, small_path)
                            .c_str()),
            0);
  const Collector small = Read(small_path);
  std::filesystem::remove_all(folder);
  std::vector<Packet> packets(cup.packets.begin(), cup.packets.begin() + 60);
  packets.insert(packets.end(), small.packets.begin(), small.packets.begin() + 60);
  RtspServer server(packets, Extradata(cup), {{.frames = 120}});
  FakeClock clock;
  struct : Collector {
    void OnFormat(const VideoFormat& f) override {
      Collector::OnFormat(f);
      sizes.emplace_back(packets.size(), f.width);
    }
    std::vector<std::pair<size_t, int>> sizes;  // after how many packets
  } collector;
  collector.limit = 115;
  Camera camera(RtspOptions(server.url()), clock, collector);
  ASSERT_TRUE(camera.Run(collector.stop.get_token()).ok());
  EXPECT_THAT(collector.sizes,
              ::testing::ElementsAre(::testing::Pair(0, 640), ::testing::Pair(60, 320)));
  EXPECT_TRUE(collector.packets[60].keyframe);
  EXPECT_EQ(collector.format.height, 240);
  EXPECT_EQ(collector.format.parameters->width, 320);
  EXPECT_GT(collector.format.parameters->extradata_size, 0);
  EXPECT_EQ(camera.status().format.width, 320);
}

TEST(RtspCamera, IsLostWhenNoPacketComesForTheStallTimeout) {
  const Collector cup = Cup();
  RtspServer server(cup.packets, Extradata(cup), {{.frames = 60}});
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
