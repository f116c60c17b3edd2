// x264: GPL, and the largest in memory (73 MB at 720p against openh264's 14), so it comes after
// openh264.
#include "edge/clip/avcodec_encoder.h"
#include "edge/clip/encoders.h"

namespace gleaner::edge {

absl::StatusOr<std::unique_ptr<Encoder>> OpenX264(const EncoderSettings& settings) {
  return AvcodecEncoder::Open(
      {.name = "libx264",
       .options = {{"preset", "ultrafast"}, {"tune", "zerolatency"}, {"forced-idr", "1"}}},
      settings);
}

}  // namespace gleaner::edge
