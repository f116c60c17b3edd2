// What flows through the daemon: encoded packets and decoded frames, on one timeline.
//
// Each camera counts presentation time in ticks of its own time base, without steps: where a source
// starts anew (a looped file, a reconnected stream) the camera adds what is needed to go on.
// `monotonic_ns` says the same moment on the device's clock, so that cameras, sensors and triggers
// compare.
#pragma once

#include <array>
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
  // How the picture is turned for viewing, as the container says it (a display matrix: nine
  // numbers, ISO 14496-12, 8.3.2); null where it isn't.
  std::shared_ptr<const std::array<int32_t, 9>> display_matrix;

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
  // Of a keyframe (random_access.h): it is no IDR picture, and how many reference frames later
  // pictures are whole.
  bool open_start = false;
  uint32_t recovery_frames = 0;
  // Counts up where the source's times have jumped: what two packets of different runs say of the
  // time between them isn't to be trusted, and no clip holds both.
  uint32_t run = 0;

  bool CleanStart() const { return keyframe && !open_start; }
};

// One decoded picture. Copies share the pixels, which nobody changes.
struct Frame {
  std::shared_ptr<const AVFrame> data;
  int64_t pts = 0;
  int64_t monotonic_ns = 0;
};

}  // namespace gleaner::edge
