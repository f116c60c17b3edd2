// Intel Quick Sync by oneVPL, where VA-API alone doesn't do.
#include "edge/clip/avcodec_encoder.h"
#include "edge/clip/encoders.h"

namespace gleaner::edge {

absl::StatusOr<std::unique_ptr<Encoder>> OpenQsv(const EncoderSettings& settings) {
  return AvcodecEncoder::Open({.name = "h264_qsv",
                               .pixels = AV_PIX_FMT_NV12,
                               .options = {{"async_depth", "1"},
                                           {"preset", "veryfast"},
                                           {"forced_idr", "1"},
                                           {"look_ahead", "0"}}},
                              settings);
}

}  // namespace gleaner::edge
