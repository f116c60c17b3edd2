// Keeps what the tag hvc1 promises of H.265 in MP4: parameter sets stand in the file's header alone
// (ISO 14496-15, 8.4.1.1). Apple's players take nothing else; cameras repeat theirs in front of
// each keyframe.
#pragma once

#include <set>
#include <vector>

#include "edge/camera/ffmpeg.h"

namespace gleaner::edge {

// Of one stream. Not thread-safe.
class HevcSets {
 public:
  // The sets that stand in the extradata, as hvcC or Annex B.
  explicit HevcSets(const AVCodecParameters& parameters);

  // The keyframe without the sets that the header has; null where there are none to leave out. One
  // that is not in the header stays: better against the rule than undecodable.
  AvPtr<AVPacket> LeaveOut(const AVPacket& keyframe) const;

 private:
  const int length_bytes_;
  std::set<std::vector<uint8_t>> sets_;
};

}  // namespace gleaner::edge
