// A camera: one source of video, opened, read, and opened again when it is lost. FFmpeg's demuxers
// do the reading, for a file, RTSP and V4L2 alike.
//
// Watching is nearly free: a packet goes from the demuxer to the sink as it is, neither parsed,
// decoded nor copied (but see h264_repair.h for the two faults of files that are mended, and
// picture_watch.h for what is read of a live camera's keyframes).
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "common/clock.h"
#include "edge/camera/camera_options.h"
#include "edge/camera/login_guard.h"
#include "edge/camera/packet.h"

namespace gleaner::edge {

// Receives what a camera delivers, always on that camera's thread, in decode order.
class PacketSink {
 public:
  virtual ~PacketSink() = default;
  // Before the first packet, and again when the source has changed its format.
  virtual void OnFormat(const VideoFormat& format) = 0;
  virtual void OnPacket(const Packet& packet) = 0;
  // The source is lost and will be tried again within a minute: no packets, but no standstill.
  virtual void OnReconnecting() {}
};

// For how long a problem text speaks of a frame that was left out.
inline constexpr int64_t kDropShownNs = 60 * kNanosPerSecond;

enum class CameraState { kOpening, kStreaming, kReconnecting, kEnded };

struct CameraStatus {
  CameraState state = CameraState::kOpening;
  uint64_t frames = 0;
  uint64_t dropped = 0;  // frames that were left out because their times make no sense
  int64_t last_packet_monotonic_ns = 0;  // when it was read, on the clock; 0 before the first
  double frames_per_s = 0;               // over the last few seconds
  VideoFormat format;
  std::string source;   // "file", "rtsp", "v4l2"
  std::string problem;  // for people; empty when streaming well
};

class Camera {
 public:
  // `clock`, `sink` and `guard` must outlive the camera. Cameras of one device share a guard; null:
  // one of its own.
  Camera(CameraOptions options, Clock& clock, PacketSink& sink, LoginGuard* guard = nullptr);
  ~Camera();

  // Reads until `stop`, or until a file that isn't looped has ended (OK), or the input can never
  // work: not video, unsupported codec, no such file, cut short (an error that names the camera
  // as it may be shown). A lost stream is opened again with back-off, for ever. Ends within a
  // fraction of a second of `stop`, whatever the network does. A
  // login that was refused is tried again after minutes only (login_guard.h). Call once, on a
  // thread of its own.
  absl::Status Run(std::stop_token stop);

  // Thread-safe.
  CameraStatus status() const;
  const CameraOptions& options() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner::edge
