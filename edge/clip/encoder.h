// Video encoders: one interface, one file an implementation (encoder_*.cpp), one line in the
// registry (encoder.cpp).
//
// Which one works is not asked but tried: a hardware encoder that opens may still fail at its first
// frame, so each candidate encodes one real frame and the first that returns a keyframe is taken.
//
// What every encoder must do, so that packets can go into a ring and clips can be cut: no B-frames
// and no reordering, a keyframe when told, and (H.264) the parameter sets in front of each
// keyframe, Annex B framing. So a file may hold the packets of two H.264 encoders one after the
// other, which is what happens when an encoder fails in mid-clip.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "edge/camera/ffmpeg.h"
#include "edge/clip/colours.h"

namespace gleaner::edge {

struct EncoderSettings {
  int width = 0;  // even
  int height = 0;
  double frames_per_s = 0;  // for rate control only; > 0
  int64_t bits_per_s = 0;
  Colours colours;  // to be said in the stream, where the codec can
};

// Used by one thread.
class Encoder {
 public:
  virtual ~Encoder() = default;
  // `frame`: YUV 4:2:0 planar, limited range, of the settings' size and colours, with a PTS greater
  // than the last one's. Appends what is ready to `out`: pts = dts = the frame's, AV_PKT_FLAG_KEY
  // set where it is a keyframe. After an error the encoder is of no more use.
  virtual absl::Status Encode(const AVFrame& frame, bool keyframe,
                              std::vector<AvPtr<AVPacket>>* out) = 0;
  // The frames that it still holds; no Encode() after that.
  virtual absl::Status Flush(std::vector<AvPtr<AVPacket>>* out) = 0;
  virtual AVCodecID codec() const = 0;
};

using EncoderFactory =
    std::function<absl::StatusOr<std::unique_ptr<Encoder>>(const EncoderSettings&)>;

// In the order of trying: h264_nvenc, h264_vaapi, h264_v4l2m2m, h264_qsv, openh264, libx264, mpeg4.
std::vector<std::string> DefaultEncoders();
bool IsEncoder(std::string_view name);
// Adds or replaces an entry, outside the default order. Thread-safe.
void RegisterEncoder(std::string name, EncoderFactory factory);

struct ChosenEncoder {
  std::string name;
  std::unique_ptr<Encoder> encoder;  // fresh: the trial frame went through another instance
};
// The first of `names` that encodes `frame` as a keyframe. Each refusal and the choice are logged,
// `who` in front. UNAVAILABLE, with all refusals, when none does.
absl::StatusOr<ChosenEncoder> ChooseEncoder(const std::vector<std::string>& names,
                                            const EncoderSettings& settings, const AVFrame& frame,
                                            std::string_view who);

// What a file of an encoder's packets needs to say about them, taken from its first keyframe:
// codec, size and parameter sets.
std::shared_ptr<const AVCodecParameters> ParametersFrom(AVCodecID codec,
                                                        const EncoderSettings& settings,
                                                        const AVPacket& keyframe);

}  // namespace gleaner::edge
