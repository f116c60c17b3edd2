// FFmpeg's own MPEG-4 part 2: always there, plays in few browsers, better than no clip.
#include "edge/clip/avcodec_encoder.h"
#include "edge/clip/encoders.h"

namespace gleaner::edge {

absl::StatusOr<std::unique_ptr<Encoder>> OpenMpeg4(const EncoderSettings& settings) {
  return AvcodecEncoder::Open({.name = "mpeg4"}, settings);
}

}  // namespace gleaner::edge
