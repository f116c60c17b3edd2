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
#include "common/config.h"
#include "edge/camera/packet.h"

namespace gleaner::edge {

struct CameraOptions {
  std::string name;  // see IsName()
  // A path, "rtsp://…", "rtsps://…", or a V4L2 device such as "/dev/video0". Opened with protocol,
  // format and codec allow-lists (source.cpp).
  std::string url;
  // "auto" (by the url), "file", "rtsp", "v4l2".
  std::string source = "auto";
  // Files only. "realtime": paced by PTS against the clock, no frame before its time; "fast": as
  // fast as the consumer takes packets, monotonic_ns following PTS.
  std::string pace = "realtime";
  bool loop = false;  // files only
  // RTSP and V4L2: no packet for this long means lost. Also how long an opening may take.
  int64_t stall_timeout_ns = 10 * kNanosPerSecond;

  // How long the sink of a lost camera may hear nothing at all: opening it and waiting for a packet
  // take at most the stall timeout each, and there is a wait before the next try.
  int64_t MaxSilenceNs() const;

  // Reads one [[camera]] table; mistakes are noted in `reader`.
  static CameraOptions Read(ConfigReader& reader);
};

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
  // `clock` and `sink` must outlive the camera.
  Camera(CameraOptions options, Clock& clock, PacketSink& sink);
  ~Camera();

  // Reads until `stop`, or until a file that isn't looped has ended (OK), or the input can never
  // work: not video, unsupported codec, no such file, cut short (an error that names the url
  // without its password). A lost stream is opened again with back-off, for ever. Ends within a
  // fraction of a second of `stop`, whatever the network does. Call once, on a thread of its own.
  absl::Status Run(std::stop_token stop);

  // Thread-safe.
  CameraStatus status() const;
  const CameraOptions& options() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner::edge
