// One opening of an input: a device that has no frame yet.
#include "edge/camera/source.h"

#include <gtest/gtest.h>

#include "edge/camera/ffmpeg.h"
#include "fmt/format.h"
#include "tests/edge/camera/camera_rig.h"

namespace gleaner::edge {
namespace {

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
      stream->codecpar->width = width;
      stream->codecpar->height = height;
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
    width = 64;
    height = 48;
  }
  AVInputFormat format{};
  static inline AVCodecID codec;
  static inline int reads, width, height;
  static inline bool silent, blocking;
};

TEST(V4l2Source, WaitsForADevicesNextFrame) {
  FakeDevice device;
  auto source =
      Source::OpenV4l2("/dev/video9", {}, {.interrupted = [] { return false; }}, &device.format);
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

TEST(Source, TakesThePicturesOfPanoramaCamerasAndRefusesLargerOnesWithASentence) {
  const auto open = [](int width, int height) {
    FakeDevice device;
    FakeDevice::width = width;
    FakeDevice::height = height;
    return Source::OpenV4l2("/dev/video9", {}, {.interrupted = [] { return false; }},
                            &device.format)
        .status();
  };
  for (const auto& [width, height] : {std::pair(4000, 3000), {7680, 2160}, {7680, 4320}}) {
    EXPECT_TRUE(open(width, height).ok()) << open(width, height);
  }
  for (const auto& [width, height] : {std::pair(8193, 16), {16, 8193}, {8192, 8192}}) {
    const absl::Status refused = open(width, height);
    EXPECT_TRUE(absl::IsInvalidArgument(refused)) << "for good: " << refused;
    EXPECT_NE(refused.message().find("choose a smaller stream"), std::string::npos) << refused;
  }
}

class SourceFile : public CameraRig {};

TEST_F(SourceFile, OfMoreStreamsThanAnyCameraWritesIsNotOpened) {
  for (const int sounds : {15, 16}) {
    std::string maps = "-f lavfi -i testsrc=d=1 -f lavfi -i sine=d=1 -map 0 -c:v libx264 -c:a aac";
    for (int i = 0; i < sounds; ++i) maps += " -map 1";
    const std::string path = MakeVideo(fmt::format("{}.mp4", sounds), maps);
    const auto source = Source::OpenFile(path, [] { return false; });
    EXPECT_EQ(source.ok(), sounds == 15) << sounds << " beside the pictures: " << source.status();
  }
}

TEST(V4l2Source, EndsTheWaitForASilentDeviceWhenItIsInterrupted) {
  FakeDevice device;
  device.silent = true;
  auto source = Source::OpenV4l2("/dev/video9", {},
                                 {.interrupted = [&] { return device.reads > 5; }}, &device.format);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_TRUE(absl::IsCancelled((*source)->Read().status()));
  EXPECT_EQ(device.reads, 6);
}

TEST(V4l2Source, EndsTheProbingOfASilentDeviceWhenItIsInterrupted) {
  FakeDevice device;
  device.codec = AV_CODEC_ID_H264;  // its header doesn't say all: a look at its frames is needed
  device.silent = true;
  auto source = Source::OpenV4l2("/dev/video9", {},
                                 {.interrupted = [&] { return device.reads > 5; }}, &device.format);
  EXPECT_TRUE(!source.ok() || absl::IsCancelled((*source)->Read().status()));
  EXPECT_EQ(device.reads, 6);
}

}  // namespace
}  // namespace gleaner::edge
