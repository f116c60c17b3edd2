// What it costs this device to watch a camera: the daemon's own detector of motion, and where clips
// can't hold the camera's packets the daemon's own decoder and encoder, run over what was seen of
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "edge/camera/packet.h"

namespace gleaner::edge {

struct WatchCost {
  uint64_t frames = 0;          // whose cost was measured
  uint64_t decoded_frames = 0;  // of them
  double cpu_ms_a_frame = 0;    // all of watching, on average over all frames
  bool moved = false;           // something moved meanwhile, so that there was more to decode
  std::string encoder;          // that clips would need; empty: they keep the camera's own packets

  // Packet sizes don't show motion: most frames were decoded although nothing moved.
  bool SizesFail() const { return !moved && frames > 0 && decoded_frames * 2 >= frames; }
};

// `packets`: of one stream in decode order, from a keyframe on. The first two seconds, in which
// the detector learns what is usual, don't count; `frames` is 0 where there is hardly anything
// behind them. `encoders`: as for the daemon, empty = the default order. `cpu_ns`: the process's
// CPU time so far; no more is measured after a few seconds of it. An error says why it can't be
// watched at all.
absl::StatusOr<WatchCost> MeasureWatchCost(const VideoFormat& format,
                                           const std::vector<Packet>& packets,
                                           const std::vector<std::string>& encoders,
                                           const std::function<int64_t()>& cpu_ns);

}  // namespace gleaner::edge
