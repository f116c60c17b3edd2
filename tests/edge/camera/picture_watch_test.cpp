#include "edge/camera/picture_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "edge/camera/camera.h"
#include "fmt/format.h"
#include "tests/data/footage.h"

namespace gleaner::edge {
namespace {

struct Stream : PacketSink {
  void OnFormat(const VideoFormat& f) override { format = f; }
  void OnPacket(const Packet& packet) override {
    if (packet.keyframe) keyframes.push_back(packet);
  }
  VideoFormat format;
  std::vector<Packet> keyframes;
};

// Two seconds as a camera sends them: parameter sets in front of each keyframe, one a second.
Stream Encode(const std::string& encoder, const std::string& extension, const std::string& size) {
  const std::string path = (std::filesystem::path(::testing::TempDir()) /
                            fmt::format("gleaner_picture_{}_{}.{}", getpid(), size, extension));
  const std::string command = fmt::format(
      "ffmpeg -v error -nostdin -y -i {} -t 2 -vf fps=10,scale={} -c:v {} -preset "
      "ultrafast -g 10 {}",
      Footage("cup.mp4"), size, encoder, path);
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  FakeClock clock;
  Stream stream;
  CameraOptions options;
  options.name = "file";
  options.address = *CameraAddress::Parse(path);
  options.pace = "fast";
  EXPECT_TRUE(Camera(options, clock, stream).Run({}).ok());
  std::filesystem::remove(path);
  return stream;
}

class PictureWatchTest : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(PictureWatchTest, SeesAnotherSizeAtItsFirstKeyframe) {
  const auto [encoder, extension] = GetParam();
  const Stream large = Encode(encoder, extension, "640:480");
  const Stream small = Encode(encoder, extension, "360:270");  // not whole macroblocks
  ASSERT_GE(large.keyframes.size(), 2u);
  ASSERT_GE(small.keyframes.size(), 2u);
  VideoFormat format = large.format;
  PictureWatch watch(format);
  for (const Packet& packet : large.keyframes) EXPECT_FALSE(watch.Changed(*packet.data, &format));
  EXPECT_TRUE(watch.Changed(*small.keyframes[0].data, &format));
  EXPECT_EQ(format.width, 360);
  EXPECT_EQ(format.height, 270);
  EXPECT_EQ(format.parameters->width, 360);
  EXPECT_GT(format.parameters->extradata_size, 0);
  EXPECT_FALSE(watch.Changed(*small.keyframes[1].data, &format));
  EXPECT_TRUE(watch.Changed(*large.keyframes[0].data, &format));
  EXPECT_EQ(format.height, 480);
}

INSTANTIATE_TEST_SUITE_P(Codecs, PictureWatchTest,
                         ::testing::Values(std::pair("libx264", "h264"),
                                           std::pair("libx265 -x265-params log-level=none",
                                                     "hevc")),
                         [](const auto& info) { return std::string(info.param.second); });

}  // namespace
}  // namespace gleaner::edge
