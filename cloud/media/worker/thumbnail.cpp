#include "cloud/media/worker/thumbnail.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cloud/media/worker/ffmpeg.h"
#include "cloud/media/worker_protocol.h"
#include "common/status.h"

namespace gleaner::cloud::media {
namespace {

constexpr int kQuality = 4;  // of MPEG's scale, 2 (best) to 31
// Where a video doesn't say its matrix, players take it for BT.709 from here on.
constexpr int kHdLines = 720;

Owned<AVFrame> NewPicture(int width, int height) {
  Owned<AVFrame> picture(av_frame_alloc());
  picture->width = width;
  picture->height = height;
  picture->format = AV_PIX_FMT_YUVJ420P;
  if (av_frame_get_buffer(picture.get(), 0) < 0) return nullptr;
  return picture;
}

// JPEG is BT.601 in full range (ITU-T T.871).
void SetColours(const AVFrame& frame, SwsContext* scaler) {
  int matrix = frame.colorspace;
  if (matrix == AVCOL_SPC_UNSPECIFIED) {
    matrix = frame.height >= kHdLines ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
  }
  const bool full = frame.color_range == AVCOL_RANGE_JPEG || frame.format == AV_PIX_FMT_YUVJ420P ||
                    frame.format == AV_PIX_FMT_YUVJ422P || frame.format == AV_PIX_FMT_YUVJ444P;
  sws_setColorspaceDetails(scaler, sws_getCoefficients(matrix), full ? 1 : 0,
                           sws_getCoefficients(SWS_CS_ITU601), 1, 0, 1 << 16, 1 << 16);
}

absl::StatusOr<Owned<AVFrame>> Scale(const AVFrame& frame, int width, int height) {
  Owned<AVFrame> small = NewPicture(width, height);
  if (small == nullptr) return absl::ResourceExhaustedError("no memory");
  const Owned<SwsContext> scaler(
      sws_getContext(frame.width, frame.height, static_cast<AVPixelFormat>(frame.format), width,
                     height, AV_PIX_FMT_YUVJ420P, SWS_AREA, nullptr, nullptr, nullptr));
  if (scaler == nullptr) return absl::InvalidArgumentError("a frame can't be scaled");
  SetColours(frame, scaler.get());
  if (sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height, small->data,
                small->linesize) != height) {
    return absl::InvalidArgumentError("a frame can't be scaled");
  }
  return small;
}

}  // namespace

absl::StatusOr<std::string> MakeThumbnail(const AVFrame& frame, Turn turn) {
  const int wide = turn.sideways() ? frame.height : frame.width;
  const int high = turn.sideways() ? frame.width : frame.height;
  const int width = kThumbnailWidth;
  const int64_t scaled = int64_t{high} * width / std::max(wide, 1);
  const int height = static_cast<int>(std::clamp<int64_t>(scaled, 2, kMaxThumbnailHeight)) & ~1;

  ASSIGN_OR_RETURN(Owned<AVFrame> small,
                   turn.sideways() ? Scale(frame, height, width) : Scale(frame, width, height));
  if (!turn.upright()) {
    Owned<AVFrame> upright = NewPicture(width, height);
    if (upright == nullptr) return absl::ResourceExhaustedError("no memory");
    for (int plane = 0; plane < 3; ++plane) {
      const int shift = plane == 0 ? 0 : 1;
      TurnPlane(turn, small->data[plane], small->linesize[plane], small->width >> shift,
                small->height >> shift, upright->data[plane], upright->linesize[plane]);
    }
    small = std::move(upright);
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
