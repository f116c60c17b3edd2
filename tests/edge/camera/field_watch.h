// Network cameras of the field, watched in simulated time: what comes out of a Camera, frame by
// frame, and what has to hold of it whatever the camera did.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "edge/camera/camera.h"
#include "tests/edge/camera/camera_rig.h"
#include "tests/edge/camera/film.h"
#include "tests/edge/camera/rtsp_camera.h"

namespace gleaner::edge {

inline constexpr int64_t kMs = kNanosPerMilli;
inline constexpr int64_t kS = kNanosPerSecond;
inline constexpr int64_t kFrameNs = 40 * kMs;
inline constexpr int64_t kTicks = 3600;

inline constexpr char kBFrames[] = "-c:v libx264 -preset veryfast -g 50 -bf 3 -pix_fmt yuv420p";
inline constexpr char kPlain[] = "-c:v libx264 -preset veryfast -g 25 -bf 0 -pix_fmt yuv420p";

inline Film MakeAndLoad(const std::string& encode, double seconds = 8) {
  return Film::Load(MakeFilm({.seconds = seconds, .encode = encode}));
}

inline CameraOptions Rtsp(const std::string& url) {
  CameraOptions options;
  options.name = "door";
  options.address = *CameraAddress::Parse(url);
  return options;
}

// The number that each frame of these packets shows, by its PTS.
inline std::map<int64_t, int> Numbers(const VideoFormat& format, const std::vector<Packet>& packets,
                                      size_t* errors) {
  AvPtr<AVCodecContext> decoder(
      avcodec_alloc_context3(avcodec_find_decoder(format.parameters->codec_id)));
  avcodec_parameters_to_context(decoder.get(), format.parameters.get());
  decoder->thread_count = 1;
  EXPECT_EQ(avcodec_open2(decoder.get(), nullptr, nullptr), 0);
  std::map<int64_t, int> numbers;
  AvPtr<AVFrame> frame = NewFrame();
  const auto drain = [&] {
    while (avcodec_receive_frame(decoder.get(), frame.get()) == 0) {
      if (frame->decode_error_flags != 0) ++*errors;
      numbers[frame->pts] = FrameNumber(*frame);
    }
  };
  for (const Packet& packet : packets) {
    if (avcodec_send_packet(decoder.get(), packet.data.get()) != 0) ++*errors;
    drain();
  }
  avcodec_send_packet(decoder.get(), nullptr);
  drain();
  return numbers;
}

// Watches in simulated time.
struct Watched {
  Collector collector;
  CameraStatus status;
  int connections = 0;

  explicit Watched(size_t packets) : collector(packets) {}

  const VideoFormat& format() const { return collector.formats.front(); }
  const std::vector<Packet>& packets() const { return collector.packets; }
};

// `after_ns`: how long after the one before it the n-th picture comes.
inline std::unique_ptr<Watched> Watch(
    RtspCamera& server, size_t packets,
    const std::function<int64_t(int64_t n)>& after_ns = [](int64_t) { return kFrameNs; }) {
  auto watched = std::make_unique<Watched>(packets);
  FakeClock clock;
  Camera camera(Rtsp(server.url()), clock, watched->collector);
  // A picture is read when the next one begins to arrive.
  camera.OnRead([&, n = int64_t{1}]() mutable { clock.Advance(after_ns(n++)); });
  EXPECT_TRUE(camera.Run(watched->collector.stop.get_token()).ok());
  watched->status = camera.status();
  watched->connections = server.connections();
  return watched;
}

inline void ExpectSound(const std::vector<Packet>& packets) {
  std::set<int64_t> times;
  int64_t last_dts = INT64_MIN;
  for (const Packet& packet : packets) {
    EXPECT_TRUE(times.insert(packet.pts).second) << "two frames at " << packet.pts;
    EXPECT_LE(packet.dts, packet.pts);
    EXPECT_GT(packet.dts, last_dts);
    last_dts = packet.dts;
  }
}

// Every frame's PTS is its number's, moved by one constant.
inline void ExpectTrueTimes(const VideoFormat& format, const std::vector<Packet>& packets,
                            int64_t ticks, int frames_in_film) {
  ExpectSound(packets);
  size_t errors = 0;
  const std::map<int64_t, int> numbers = Numbers(format, packets, &errors);
  EXPECT_EQ(errors, 0u);
  EXPECT_EQ(numbers.size(), packets.size());
  ASSERT_FALSE(numbers.empty());
  const auto [first_pts, first_number] = *numbers.begin();
  for (const auto& [pts, number] : numbers) {
    const int64_t frame = first_number + (pts - first_pts) / ticks;
    ASSERT_EQ((pts - first_pts) % ticks, 0);
    ASSERT_EQ(number, frame % frames_in_film) << "at " << pts;
  }
}

}  // namespace gleaner::edge
