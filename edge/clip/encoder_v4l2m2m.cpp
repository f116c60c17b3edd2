// Encoders of embedded boards behind V4L2's memory-to-memory interface (Raspberry Pi, i.MX,
// Rockchip).
#include "edge/clip/avcodec_encoder.h"
#include "edge/clip/encoders.h"

namespace gleaner::edge {

absl::StatusOr<std::unique_ptr<Encoder>> OpenV4l2M2m(const EncoderSettings& settings) {
  return AvcodecEncoder::Open({.name = "h264_v4l2m2m"}, settings);
}

}  // namespace gleaner::edge
