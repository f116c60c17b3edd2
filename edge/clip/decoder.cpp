#include "edge/clip/decoder.h"

#include "common/limits.h"
#include "edge/camera/source.h"
#include "fmt/format.h"

namespace gleaner::edge {

absl::StatusOr<std::unique_ptr<Decoder>> Decoder::Open(const VideoFormat& format) {
  QuietFfmpeg();
  const AVCodecID id = format.parameters->codec_id;
  const AVCodec* codec = IsReadableCodec(id) ? avcodec_find_decoder(id) : nullptr;
  if (codec == nullptr) {
    return absl::InvalidArgumentError(fmt::format("no decoder for {}", format.codec));
  }
  auto decoder = std::make_unique<Decoder>();
  decoder->context_.reset(avcodec_alloc_context3(codec));
  AVCodecContext& context = *decoder->context_;
  avcodec_parameters_to_context(&context, format.parameters.get());
  context.thread_count = 1;  // the device's main work comes first
  context.max_pixels = kMaxPicturePixels;
  context.pkt_timebase = ToRational(format.time_base);
  if (const int error = avcodec_open2(&context, codec, nullptr); error < 0) {
    return AvStatus(error, fmt::format("decoder {}", codec->name));
  }
  return decoder;
}

absl::Status Decoder::Send(const AVPacket* packet) {
  const int error = avcodec_send_packet(context_.get(), packet);
  if (error < 0 && error != AVERROR_EOF) return AvStatus(error, "decoding");
  return absl::OkStatus();
}

bool Decoder::Receive(AVFrame* frame) {
  if (avcodec_receive_frame(context_.get(), frame) < 0) return false;
  if (frame->best_effort_timestamp != AV_NOPTS_VALUE) frame->pts = frame->best_effort_timestamp;
  return true;
}

}  // namespace gleaner::edge
