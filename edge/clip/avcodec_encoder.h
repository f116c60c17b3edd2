// What all encoders that libavcodec wraps have in common; an encoder_*.cpp adds its options.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "edge/clip/encoder.h"

namespace gleaner::edge {

struct AvcodecOptions {
  std::string name;  // libavcodec's
  // What the encoder is fed; frames are converted where this isn't YUV420P.
  AVPixelFormat pixels = AV_PIX_FMT_YUV420P;
  // Frames are uploaded to a device of this kind first; `pixels` is then what is uploaded.
  AVHWDeviceType device = AV_HWDEVICE_TYPE_NONE;
  AVPixelFormat device_pixels = AV_PIX_FMT_NONE;
  std::vector<std::pair<const char*, const char*>> options;  // the encoder's own
};

class AvcodecEncoder : public Encoder {
 public:
  static absl::StatusOr<std::unique_ptr<Encoder>> Open(const AvcodecOptions& options,
                                                       const EncoderSettings& settings);

  absl::Status Encode(const AVFrame& frame, bool keyframe,
                      std::vector<AvPtr<AVPacket>>* out) override;
  absl::Status Flush(std::vector<AvPtr<AVPacket>>* out) override;
  AVCodecID codec() const override { return context_->codec_id; }

 private:
  AvcodecEncoder() = default;
  absl::Status OpenDevice(const AvcodecOptions& options);
  // The frame in the form that the encoder takes.
  absl::StatusOr<AvPtr<AVFrame>> Prepare(const AVFrame& frame);
  absl::Status Receive(std::vector<AvPtr<AVPacket>>* out);

  std::string name_;
  AVPixelFormat pixels_ = AV_PIX_FMT_YUV420P;
  AvPtr<AVCodecContext> context_;
  AvPtr<AVBufferRef> frames_;  // the device's frame pool; null without a device
  AvPtr<SwsContext> convert_;  // null where nothing is to convert
  // The encoder counts frames (MPEG-4 can't count in microseconds); these are their real PTS.
  std::deque<int64_t> pts_;
  int64_t frames_in_ = 0;
};

}  // namespace gleaner::edge
