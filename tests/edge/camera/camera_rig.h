// What the tests of cameras share: a file read as fast as it goes, what FFmpeg itself finds in it,
// and a scratch folder for made-up files.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "edge/camera/camera.h"
#include "edge/camera/ffmpeg.h"
#include "fmt/format.h"

namespace gleaner::edge {

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

inline CameraOptions FileOptions(const std::string& path) {
  CameraOptions options;
  options.name = "front";
  options.address = *CameraAddress::Parse(path);
  options.pace = "fast";
  return options;
}

inline absl::Status Read(const CameraOptions& options, Collector& collector) {
  FakeClock clock;
  Camera camera(options, clock, collector);
  return camera.Run(collector.stop.get_token());
}

// The video packets that FFmpeg itself reads from a file, as (pts, dts); what its edit list doesn't
// show is left out.
inline std::vector<std::pair<int64_t, int64_t>> Reference(const std::string& path) {
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

inline std::vector<int64_t> ReferencePts(const std::string& path) {
  std::vector<int64_t> pts;
  for (auto [p, d] : Reference(path)) pts.push_back(p);
  std::sort(pts.begin(), pts.end());
  return pts;
}

// Decodes packets in order and returns the PTS of the frames as they come out.
inline std::vector<int64_t> DecodedPts(const VideoFormat& format,
                                       const std::vector<Packet>& packets, size_t* errors) {
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

// A scratch folder of this test.
class CameraRig : public ::testing::Test {
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
    // No other thread runs.
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return path;
  }

  std::filesystem::path folder_;
};

}  // namespace gleaner::edge
