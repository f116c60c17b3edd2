// A camera: one source of video, opened, read, and opened again when it is lost. FFmpeg's demuxers
// do the reading, for a file, RTSP and V4L2 alike.
//
// Watching is nearly free: a packet goes from the demuxer to the sink as it is, neither decoded nor
// copied; of H.264 and H.265 headers are read (picture_order.h, picture_watch.h,
// random_access.h). How the times of
// packets are judged, mended and brought to the device's clock: live_stamps.h, h264_repair.h,
// timeline.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "common/clock.h"
#include "edge/camera/camera_options.h"
#include "edge/camera/camera_report.h"
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
  // The source is lost and will be tried again within a minute, or its first keyframe is waited
  // for: no packets, but no standstill.
  virtual void OnReconnecting() {}
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
  // For tests that move their clock by what the camera reads: called on the camera's thread after
  // each packet, before its time is taken. Set it before Run().
  void OnRead(std::function<void()> read);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner::edge
