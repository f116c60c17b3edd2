// What a camera is doing and what is amiss with it: told by its thread, asked by others.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/clock.h"
#include "edge/camera/camera_notes.h"
#include "edge/camera/live_stamps.h"
#include "edge/camera/packet.h"

namespace gleaner::edge {

enum class CameraState { kOpening, kStreaming, kReconnecting, kEnded };

struct CameraStatus {
  CameraState state = CameraState::kOpening;
  uint64_t frames = 0;
  // Frames that were left out: their times make no sense, or they came twice.
  uint64_t dropped = 0;
  uint64_t damaged = 0;       // packets that were left out because they were damaged on their way
  LiveStamps::Counts stamps;  // live: since it was opened
  // Live: seconds that the camera's clock counts in one of the device's; 0 while that isn't known.
  double clock_rate = 0;
  int64_t last_packet_monotonic_ns = 0;  // when it was read, on the clock; 0 before the first
  double frames_per_s = 0;               // over the last few seconds
  VideoFormat format;
  std::string source;   // "file", "rtsp", "v4l2"
  std::string problem;  // for people (see camera_notes.h); empty when streaming well
};

// status() is thread-safe; the rest is called by the camera's thread.
class CameraReport {
 public:
  // `name`, for the log, and `source` as in the status. `clock` outlives this.
  CameraReport(std::string name, std::string_view source, Clock& clock);

  CameraStatus status() const;

  // `problem`: why it doesn't stream; empty when it does.
  void State(CameraState state, std::string problem);
  void Format(const VideoFormat& format);
  // It was opened anew.
  void Opened();
  // A frame was handed on.
  void Frame();
  // A frame was left out; it "is …", says the message.
  void LeftOut(const absl::Status& why);
  // So many packets since the camera was made.
  void Damaged(uint64_t packets);
  // After each packet. `clock_rate`: 0 while it isn't known.
  void Stamps(const LiveStamps::Counts& counts, double clock_rate);

 private:
  void Note(CameraNotes::Kind kind, std::string text);

  const std::string name_;
  Clock& clock_;
  int64_t rate_since_ns_ = 0;
  uint64_t rate_frames_ = 0;
  int64_t stamps_told_ns_ = 0;

  mutable std::mutex mutex_;
  CameraStatus status_;  // guarded by mutex_
  CameraNotes notes_;    // guarded by mutex_
};

}  // namespace gleaner::edge
