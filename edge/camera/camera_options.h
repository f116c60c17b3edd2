// What the configuration says of one camera.
#pragma once

#include <cstdint>
#include <string>

#include "common/clock.h"
#include "common/config.h"
#include "edge/camera/camera_address.h"
#include "edge/camera/camera_login.h"
#include "edge/camera/v4l2_modes.h"

namespace gleaner::edge {

// The longest wait before a lost camera is tried again.
inline constexpr int64_t kLastCameraRetryNs = 30 * kNanosPerSecond;

struct CameraOptions {
  std::string name;  // see IsName()
  // A path, "rtsp://…", "rtsps://…", or a V4L2 device such as "/dev/video0". Opened with protocol,
  // format and codec allow-lists (source.cpp).
  CameraAddress address;
  // RTSP only.
  CameraLogin login;
  // RTSP only. "tcp", "udp", or "auto": TCP, and UDP where a camera refuses TCP or sends nothing
  // over it.
  std::string transport = "auto";
  // V4L2 only.
  V4l2Wish v4l2;
  // Files only. "realtime": paced by PTS against the clock, no frame before its time; "fast": as
  // fast as the consumer takes packets, monotonic_ns following PTS.
  std::string pace = "realtime";
  bool loop = false;  // files only
  // RTSP and V4L2: no packet for this long means lost. Also how long an opening may take.
  int64_t stall_timeout_ns = 10 * kNanosPerSecond;

  // How long the sink of a lost camera may hear nothing at all: opening it and waiting for a packet
  // take at most the stall timeout each, and there is a wait before the next try.
  int64_t MaxSilenceNs() const;

  SourceKind Kind() const { return address.kind(); }

  // Reads one [[camera]] table; mistakes are noted in `reader`. `try_login`: a password that can't
  // be loaded is one of them.
  static CameraOptions Read(ConfigReader& reader, bool try_login = true);
};

}  // namespace gleaner::edge
