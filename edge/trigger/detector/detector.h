// A detector turns one camera's video into a signal. One file an implementation, one line in
// registry.cpp; nothing else knows their names.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "edge/camera/packet.h"
#include "edge/trigger/signal.h"

namespace gleaner::edge {

// What watching has cost so far.
struct DetectorStats {
  uint64_t packets = 0;         // seen
  uint64_t decoded_frames = 0;  // decoded by the detector itself
  uint64_t looked_at = 0;       // frames whose pixels were compared
};

// Used by one thread, the camera's. Samples go to the sink given at construction.
class Detector {
 public:
  virtual ~Detector() = default;
  virtual void OnFormat(const VideoFormat& format) = 0;
  // Every packet of a remuxable camera (VideoFormat::Remuxable), in decode order. Must be nearly
  // free when nothing happens: the detector itself decides when it needs to decode, and keeps the
  // packets since the last keyframe for that.
  virtual void OnPacket(const Packet& packet) = 0;
  // Every frame of any other camera: it had to be decoded for encoding anyway.
  virtual void OnFrame(const Frame& frame) = 0;
  virtual DetectorStats stats() const = 0;
};

// The names that make a detector: what rules may write as the last part of a signal's name.
std::vector<std::string_view> DetectorNames();
// What a detector's samples can be; every number for a name that none has.
ValueRange DetectorRange(std::string_view name);
// A detector for one camera that writes "camera.<camera>.<name>" to `sink`, which must outlive it.
// NOT_FOUND, listing the names, for an unknown one.
absl::StatusOr<std::unique_ptr<Detector>> MakeDetector(std::string_view name,
                                                       std::string_view camera, SampleSink& sink);

}  // namespace gleaner::edge
