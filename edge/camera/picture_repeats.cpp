#include "edge/camera/picture_repeats.h"

#include <cstring>

namespace gleaner::edge {

bool PictureRepeats::Is(const AVPacket& packet) {
  if (!looks_) return false;
  // FFmpeg leaves out the stamp of the second packet that has the same.
  const bool repeats = last_ != nullptr &&
                       (packet.pts == last_->pts || packet.pts == AV_NOPTS_VALUE) &&
                       packet.size == last_->size && packet.size > 0 &&
                       std::memcmp(packet.data, last_->data, packet.size) == 0;
  if (!repeats) last_.reset(av_packet_clone(&packet));
  return repeats;
}

}  // namespace gleaner::edge
