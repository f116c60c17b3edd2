// Decode times for packets whose source says only when they are shown.
//
// The n-th packet in decode order is decoded when the (n − depth)-th frame in presentation order is
// shown, `depth` being how many frames may precede one in decode order and follow it in
// presentation. So decode times are as even as the frames' own, increase strictly, and none is
// later than its frame. The first `depth` of them come before the first frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace gleaner::edge {

// In ticks. Not thread-safe.
class DecodeTimes {
 public:
  // A run of frames begins with the one shown at `first_pts`, a frame each `frame_ticks`.
  void Begin(size_t depth, int64_t first_pts, int64_t frame_ticks);

  // Of the next packet in decode order. nullopt for one that is shown before it could be decoded:
  // frames are reordered more deeply than was said. It must be left out; the depth has grown, so
  // that others like it will find their place.
  std::optional<int64_t> Next(int64_t pts);

 private:
  std::vector<int64_t>
      waiting_;  // the PTS that are decode times to come, in order; `depth` of them
  std::optional<int64_t> last_;
};

}  // namespace gleaner::edge
