#include "cloud/media/worker/thumbnail.h"

#include <fmt/format.h>

#include <algorithm>

#include "cloud/media/worker/ffmpeg.h"
#include "cloud/media/worker_protocol.h"

namespace gleaner::cloud::media {
namespace {

constexpr int kQuality = 4;  // of MPEG's scale, 2 (best) to 31

}  // namespace

absl::StatusOr<std::string> MakeThumbnail(const AVFrame& frame) {
  const int width = kThumbnailWidth;
  const int64_t scaled = int64_t{frame.height} * width / std::max(frame.width, 1);
  const int height = static_cast<int>(std::clamp<int64_t>(scaled, 2, kMaxThumbnailHeight)) & ~1;

  const Owned<AVFrame> small(av_frame_alloc());
  small->width = width;
  small->height = height;
  small->format = AV_PIX_FMT_YUVJ420P;
  if (av_frame_get_buffer(small.get(), 0) < 0) return absl::ResourceExhaustedError("no memory");
  const Owned<SwsContext> scaler(
      sws_getContext(frame.width, frame.height, static_cast<AVPixelFormat>(frame.format), width,
                     height, AV_PIX_FMT_YUVJ420P, SWS_AREA, nullptr, nullptr, nullptr));
  if (scaler == nullptr || sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height,
                                     small->data, small->linesize) != height) {
    return absl::InvalidArgumentError("a frame can't be scaled");
  }

  const Owned<AVCodecContext> encoder(
      avcodec_alloc_context3(avcodec_find_encoder_by_name("mjpeg")));
  encoder->width = width;
  encoder->height = height;
  encoder->pix_fmt = AV_PIX_FMT_YUVJ420P;
  encoder->time_base = {1, 1};
  encoder->thread_count = 1;
  encoder->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
  encoder->global_quality = FF_QP2LAMBDA * kQuality;
  small->quality = encoder->global_quality;
  small->pts = 0;
  const Owned<AVPacket> packet(av_packet_alloc());
  int error = avcodec_open2(encoder.get(), encoder->codec, nullptr);
  if (error >= 0) error = avcodec_send_frame(encoder.get(), small.get());
  if (error >= 0) error = avcodec_receive_packet(encoder.get(), packet.get());
  if (error < 0) {
    return absl::InternalError(fmt::format("a thumbnail can't be encoded: {}", ErrorText(error)));
  }
  return std::string(reinterpret_cast<const char*>(packet->data),
                     static_cast<size_t>(packet->size));
}

}  // namespace gleaner::cloud::media
