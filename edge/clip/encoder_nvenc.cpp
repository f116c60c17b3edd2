// NVIDIA's encoder. Without look-ahead and delay a frame comes out when it goes in; forced-idr
// makes a frame that is told to be a keyframe one that decoding can start at.
#include "edge/clip/avcodec_encoder.h"
#include "edge/clip/encoders.h"

namespace gleaner::edge {

absl::StatusOr<std::unique_ptr<Encoder>> OpenNvenc(const EncoderSettings& settings) {
  return AvcodecEncoder::Open({.name = "h264_nvenc",
                               .options = {{"preset", "p4"},
                                           {"tune", "ll"},
                                           {"rc", "vbr"},
                                           {"delay", "0"},
                                           {"zerolatency", "1"},
                                           {"rc-lookahead", "0"},
                                           {"forced-idr", "1"}}},
                              settings);
}

}  // namespace gleaner::edge
