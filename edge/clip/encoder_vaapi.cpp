// Intel's and AMD's encoders through VA-API, on the machine's default render node.
#include "edge/clip/avcodec_encoder.h"
#include "edge/clip/encoders.h"

namespace gleaner::edge {

absl::StatusOr<std::unique_ptr<Encoder>> OpenVaapi(const EncoderSettings& settings) {
  return AvcodecEncoder::Open({.name = "h264_vaapi",
                               .pixels = AV_PIX_FMT_NV12,
                               .device = AV_HWDEVICE_TYPE_VAAPI,
                               .device_pixels = AV_PIX_FMT_VAAPI,
                               .options = {{"async_depth", "1"}, {"idr_interval", "0"}}},
                              settings);
}

}  // namespace gleaner::edge
