// Writes a clip's video: fragmented MP4 (ISO 14496-12), straight into the spool.
//
// Layout: ftyp, moov (avcC, or hvc1 with hvcC, no samples), then a moof + mdat for each second or
// so, starting at a keyframe where one comes; mfra last. Never more than one fragment is in memory.
//
// Times: the track's timescale is the time base's denominator and a sample's PTS is the camera's
// own, with no edit list and no shift to zero, so that any reader finds the manifest's numbers.
// Players show the clip from its first PTS on (currentTime starts there), not from 0. Where the
// numerator isn't 1, see FileTimeBase().
//
// DTS may be negative for the first few frames of a B-frame source; the file format can't say that.
// Where ticks are fine enough they are squeezed together at 0, which leaves PTS alone; else they
// are written as they are (FFmpeg and Chromium read them).
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "edge/camera/packet.h"
#include "edge/spool/spool.h"

namespace gleaner::edge {

// The time base of the file for a camera's: MP4 counts in 1/denominator of a second only, so ticks
// of n/d seconds are written as n ticks of 1/d.
inline TimeBase FileTimeBase(TimeBase camera) { return {1, camera.denominator}; }
// A count of the camera's ticks in the file's.
inline int64_t FileTicks(int64_t ticks, TimeBase camera) { return ticks * camera.numerator; }

// Used by one thread.
class Muxer {
 public:
  // `object` outlives the muxer.
  static absl::StatusOr<std::unique_ptr<Muxer>> Open(const VideoFormat& format,
                                                     ObjectWriter& object);
  ~Muxer();

  // Packets in decode order, a keyframe first. An error of the object comes back as it is, at the
  // latest from Finish().
  absl::Status Write(const Packet& packet);
  // Writes the last fragment. The object itself is left open.
  absl::Status Finish();
  uint64_t bytes_written() const;

 private:
  Muxer();
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner::edge
