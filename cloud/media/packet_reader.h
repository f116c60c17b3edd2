// Reads the packets that a worker takes out of a video, as they come and as hostile input.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud::media {

// A coded picture: H.264 or H.265 in Annex B.
struct Packet {
  int64_t pts = 0;  // one of the track's, or of its lead-in
  bool keyframe = false;
  std::string_view bytes;
};

// Holds one packet.
class PacketReader {
 public:
  // Of a file of `video_bytes`. `each` may return an error, which is then Take's.
  PacketReader(const v1::VideoTrack& track, uint64_t video_bytes,
               std::function<absl::Status(const Packet&)> each);

  // What came next. INVALID_ARGUMENT for what breaks a rule of worker_protocol.h; so in End.
  absl::Status Take(std::string_view piece);
  // Nothing more comes. FAILED_PRECONDITION where the worker says why there are no packets (any
  // more), UNAVAILABLE where it could not begin.
  absl::Status End() const;

 private:
  absl::Status Frame(uint32_t kind, std::string_view payload);

  const v1::VideoTrack& track_;
  const uint64_t max_bytes_;
  const std::function<absl::Status(const Packet&)> each_;
  std::vector<int64_t> times_;
  std::string held_;
  uint64_t taken_ = 0;
  bool ended_ = false;
  absl::Status ending_;
};

}  // namespace gleaner::cloud::media
