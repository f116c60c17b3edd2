// What flows through the daemon: encoded packets and decoded frames, on one timeline.
//
// Each camera counts presentation time in ticks of its own time base, without steps: where a source
// starts anew (a looped file, a reconnected stream) the camera adds what is needed to go on.
// `monotonic_ns` says the same moment on the device's clock, so that cameras, sensors and triggers
// compare.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

struct AVCodecParameters;
struct AVFrame;
struct AVPacket;

namespace gleaner::edge {

struct TimeBase {
  int numerator = 1;
  int denominator = 1'000'000;
};

// What a camera delivers, known before its first packet. Immutable; a new one comes when the source
// changes.
struct VideoFormat {
  std::string codec;  // FFmpeg's name: "h264", "hevc", "mjpeg", "rawvideo", …
  int width = 0;
  int height = 0;
  TimeBase time_base;
  double frames_per_s = 0;                              // 0 when the source doesn't say
  std::shared_ptr<const AVCodecParameters> parameters;  // extradata included

  // The clip can hold the camera's own packets; anything else is decoded and encoded.
  bool Remuxable() const { return codec == "h264" || codec == "hevc"; }
};

// One encoded access unit. Copies share the data, which nobody changes.
struct Packet {
  std::shared_ptr<const AVPacket> data;  // pts, dts and duration in the camera's ticks
  int64_t pts = 0;                       // ≥ 0
  int64_t dts = 0;                       // ≥ 0 but for the reordering delay at the very start
  int64_t monotonic_ns = 0;              // of pts
  size_t size_bytes = 0;
  bool keyframe = false;
};

// One decoded picture. Copies share the pixels, which nobody changes.
struct Frame {
  std::shared_ptr<const AVFrame> data;
  int64_t pts = 0;
  int64_t monotonic_ns = 0;
};

}  // namespace gleaner::edge
