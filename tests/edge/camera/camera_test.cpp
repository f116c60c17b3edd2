// Cameras on real footage, on an injected clock.
#include "edge/camera/camera.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "common/file.h"
#include "common/status.h"
#include "edge/camera/ffmpeg.h"
#include "edge/camera/h264_repair.h"
#include "edge/camera/source.h"
#include "fmt/format.h"
#include "tests/data/footage.h"

namespace gleaner::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Keeps everything; asks for a stop after `limit` packets.
class Collector : public PacketSink {
 public:
  explicit Collector(size_t limit = SIZE_MAX) : limit_(limit) {}
  void OnFormat(const VideoFormat& format) override { formats.push_back(format); }
  void OnPacket(const Packet& packet) override {
    packets.push_back(packet);
    if (packets.size() == limit_) stop.request_stop();
  }
  std::vector<int64_t> SortedPts() const {
    std::vector<int64_t> pts;
    for (const Packet& packet : packets) pts.push_back(packet.pts);
    std::sort(pts.begin(), pts.end());
    return pts;
  }

  std::stop_source stop;
  std::vector<VideoFormat> formats;
  std::vector<Packet> packets;

 private:
  const size_t limit_;
};

CameraOptions FileOptions(const std::string& path) {
  CameraOptions options;
  options.name = "front";
  options.url = path;
  options.pace = "fast";
  return options;
}

absl::Status Read(const CameraOptions& options, Collector& collector) {
  FakeClock clock;
  Camera camera(options, clock, collector);
  return camera.Run(collector.stop.get_token());
}

// The video packets that FFmpeg itself reads from a file, as (pts, dts); what its edit list doesn't
// show is left out.
std::vector<std::pair<int64_t, int64_t>> Reference(const std::string& path) {
  AVFormatContext* context = nullptr;
  EXPECT_EQ(avformat_open_input(&context, path.c_str(), nullptr, nullptr), 0);
  avformat_find_stream_info(context, nullptr);
  const int video = av_find_best_stream(context, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  std::vector<std::pair<int64_t, int64_t>> times;
  auto packet = NewPacket();
  while (av_read_frame(context, packet.get()) >= 0) {
    if (packet->stream_index == video && (packet->flags & AV_PKT_FLAG_DISCARD) == 0) {
      times.emplace_back(packet->pts == AV_NOPTS_VALUE ? packet->dts : packet->pts, packet->dts);
    }
    av_packet_unref(packet.get());
  }
  avformat_close_input(&context);
  return times;
}

std::vector<int64_t> ReferencePts(const std::string& path) {
  std::vector<int64_t> pts;
  for (auto [p, d] : Reference(path)) pts.push_back(p);
  std::sort(pts.begin(), pts.end());
  return pts;
}

// A scratch folder of this test.
class CameraTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(::testing::TempDir()) /
              fmt::format("gleaner_camera_{}_{}", info->name(), getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string WriteFile(const std::string& name, std::string_view contents) {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << contents;
    return path;
  }
  std::string MakeVideo(const std::string& name, const std::string& ffmpeg_arguments) {
    const std::string path = folder_ / name;
    const std::string command =
        fmt::format("ffmpeg -v error -nostdin -y {} {}", ffmpeg_arguments, path);
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return path;
  }

  std::filesystem::path folder_;
};

class FootageTest : public CameraTest, public ::testing::WithParamInterface<std::string> {};

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

// Decodes packets in order and returns the PTS of the frames as they come out.
std::vector<int64_t> DecodedPts(const VideoFormat& format, const std::vector<Packet>& packets,
                                size_t* errors) {
  AvPtr<AVCodecContext> context(
      avcodec_alloc_context3(avcodec_find_decoder(format.parameters->codec_id)));
  avcodec_parameters_to_context(context.get(), format.parameters.get());
  context->err_recognition = AV_EF_EXPLODE;
  EXPECT_EQ(avcodec_open2(context.get(), nullptr, nullptr), 0);
  std::vector<int64_t> pts;
  auto frame = NewFrame();
  auto drain = [&] {
    while (avcodec_receive_frame(context.get(), frame.get()) == 0) pts.push_back(frame->pts);
  };
  for (const Packet& packet : packets) {
    if (avcodec_send_packet(context.get(), packet.data.get()) != 0) ++*errors;
    drain();
  }
  avcodec_send_packet(context.get(), nullptr);
  drain();
  return pts;
}

TEST(H264Repair, GivesFramesWhoseTimesAreInDecodeOrderTheTimesOfTheirPresentation) {
  Collector collector;
  ASSERT_TRUE(Read(FileOptions(Footage("box.mp4")), collector).ok());
  size_t errors = 0;
  const auto pts = DecodedPts(collector.formats[0], collector.packets, &errors);
  EXPECT_EQ(pts.size(), 455u);
  EXPECT_TRUE(std::is_sorted(pts.begin(), pts.end()));
  EXPECT_EQ(errors, 0u);

  // Control: as the container has them, frames come out of the decoder with times that jump.
  std::vector<Packet> raw;
  auto source = Source::Open(SourceKind::kFile, Footage("box.mp4"), [] { return false; });
  ASSERT_TRUE(source.ok());
  for (;;) {
    auto packet = (*source)->Read();
    ASSERT_TRUE(packet.ok());
    if (*packet == nullptr) break;
    Packet p;
    p.data = std::shared_ptr<const AVPacket>(packet->release(), AvDeleter());
    raw.push_back(p);
  }
  const auto raw_pts = DecodedPts((*source)->format(), raw, &errors);
  EXPECT_FALSE(std::is_sorted(raw_pts.begin(), raw_pts.end()));
  // The first frame's impossible NAL unit, 686 bytes and its length, is gone; nothing else is.
  EXPECT_EQ(collector.packets[0].data->size, raw[0].data->size - 690);
  for (size_t i = 1; i < raw.size(); ++i) {
    EXPECT_EQ(collector.packets[i].data->size, raw[i].data->size);
  }
}

TEST_F(CameraTest, LeavesTrueTimesOfBFramesAlone) {
  const std::string path = MakeVideo(
      "b.mp4",
      fmt::format("-i {} -an -t 3 -c:v libx264 -preset veryfast -bf 2 -g 30", Footage("cup.mp4")));
  Collector collector;
  ASSERT_TRUE(Read(FileOptions(path), collector).ok());
  const auto reference = Reference(path);
  ASSERT_EQ(collector.packets.size(), reference.size());
  for (size_t i = 0; i < reference.size(); ++i) {
    EXPECT_EQ(collector.packets[i].pts, reference[i].first);
    EXPECT_EQ(collector.packets[i].dts, reference[i].second);
  }
  EXPECT_LT(collector.packets[0].dts, 0) << "the reordering delay at the very start";
}

TEST_F(CameraTest, FindsTheOrderOfBFramesInAnAviThatHasNoPresentationTimes) {
  const std::string path =
      MakeVideo("b.avi", fmt::format("-i {} -an -t 3 -c:v libx264 -preset veryfast -bf 2 -g 30",
                                     Footage("vtest.avi")));
  Collector collector;
  ASSERT_TRUE(Read(FileOptions(path), collector).ok());
  ASSERT_EQ(collector.packets.size(), 30u);
  size_t errors = 0;
  const auto pts = DecodedPts(collector.formats[0], collector.packets, &errors);
  EXPECT_EQ(errors, 0u);
  EXPECT_EQ(pts, collector.SortedPts());
}

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
  options.url = "/dev/video-of-no-camera";
  Collector collector;
  Camera camera(options, clock, collector);
  std::jthread thread([&](std::stop_token stop) { EXPECT_TRUE(camera.Run(stop).ok()); });
  while (camera.status().state != CameraState::kReconnecting) std::this_thread::yield();
  EXPECT_EQ(camera.status().source, "v4l2");
  EXPECT_THAT(camera.status().problem, HasSubstr("/dev/video-of-no-camera: No such file"));
}

TEST(Camera, NeverShowsAPassword) {
  EXPECT_EQ(WithoutPassword("rtsp://admin:s3cr@t@10.0.0.7:554/live?x=a@b"),
            "rtsp://10.0.0.7:554/live?x=a@b");
  EXPECT_EQ(WithoutPassword("rtsp://10.0.0.7/a@b"), "rtsp://10.0.0.7/a@b");
  EXPECT_EQ(WithoutPassword("/data/a@b.mp4"), "/data/a@b.mp4");
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
  EXPECT_EQ(options.url, "rtsp://u:p@cam/1");
  EXPECT_EQ(options.stall_timeout_ns, 3 * kNanosPerSecond);
}

// A device behind FFmpeg's interface for demuxers, as V4L2's is: it says EAGAIN where there is no
// frame yet.
struct FakeDevice {
  FakeDevice() {
    format.name = "video4linux2,v4l2";
    format.flags = AVFMT_NOFILE;
    format.read_header = [](AVFormatContext* context) {
      AVStream* stream = avformat_new_stream(context, nullptr);
      stream->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
      stream->codecpar->codec_id = codec;
      stream->codecpar->width = 64;
      stream->codecpar->height = 48;
      stream->time_base = {1, 1000};
      blocking = (context->flags & AVFMT_FLAG_NONBLOCK) == 0;
      return 0;
    };
    format.read_packet = [](AVFormatContext*, AVPacket* packet) {
      if (++reads % 4 != 0 || silent) return AVERROR(EAGAIN);
      packet->pts = packet->dts = reads;
      return av_new_packet(packet, 8);
    };
    reads = 0;
    silent = false;
    codec = AV_CODEC_ID_MJPEG;
  }
  AVInputFormat format{};
  static inline AVCodecID codec;
  static inline int reads;
  static inline bool silent, blocking;
};

TEST(V4l2Source, WaitsForADevicesNextFrame) {
  FakeDevice device;
  auto source = Source::Open(
      SourceKind::kV4l2, "/dev/video9", [] { return false; }, &device.format);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_FALSE(device.blocking);
  EXPECT_EQ((*source)->format().codec, "mjpeg");
  for (int i = 0; i < 3; ++i) {
    const auto packet = (*source)->Read();
    ASSERT_TRUE(packet.ok() && *packet != nullptr);
    EXPECT_EQ((*packet)->size, 8);
    EXPECT_NE((*packet)->flags & AV_PKT_FLAG_KEY, 0);
  }
  EXPECT_EQ(device.reads, 12) << "opening took none";
}

TEST(V4l2Source, EndsTheWaitForASilentDeviceWhenItIsInterrupted) {
  FakeDevice device;
  device.silent = true;
  auto source = Source::Open(
      SourceKind::kV4l2, "/dev/video9", [&] { return device.reads > 5; }, &device.format);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_TRUE(absl::IsCancelled((*source)->Read().status()));
  EXPECT_EQ(device.reads, 6);
}

TEST(V4l2Source, EndsTheProbingOfASilentDeviceWhenItIsInterrupted) {
  FakeDevice device;
  device.codec = AV_CODEC_ID_H264;  // its header doesn't say all: a look at its frames is needed
  device.silent = true;
  auto source = Source::Open(
      SourceKind::kV4l2, "/dev/video9", [&] { return device.reads > 5; }, &device.format);
  EXPECT_TRUE(!source.ok() || absl::IsCancelled((*source)->Read().status()));
  EXPECT_EQ(device.reads, 6);
}

}  // namespace
}  // namespace gleaner::edge
