#include "cloud/media/worker/jpeg.h"

#include <fmt/format.h>

#include <algorithm>

#include "cloud/media/picture_size.h"
#include "cloud/media/worker/scaling.h"
#include "cloud/media/worker_protocol.h"
#include "common/status.h"

namespace gleaner::cloud::media {
namespace {

// Of MPEG's scale, 2 (best) to 31.
constexpr int kThumbnailQuality = 4;
constexpr int kPictureQualities[] = {2, 6, 16};

absl::StatusOr<std::string> Encode(AVFrame& picture, int quality) {
  const Owned<AVCodecContext> encoder(
      avcodec_alloc_context3(avcodec_find_encoder_by_name("mjpeg")));
  encoder->width = picture.width;
  encoder->height = picture.height;
  encoder->pix_fmt = AV_PIX_FMT_YUVJ420P;
  encoder->time_base = {1, 1};
  encoder->thread_count = 1;
  encoder->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
  encoder->global_quality = FF_QP2LAMBDA * quality;
  picture.quality = encoder->global_quality;
  picture.pts = 0;
  const Owned<AVPacket> packet(av_packet_alloc());
  int error = avcodec_open2(encoder.get(), encoder->codec, nullptr);
  if (error >= 0) error = avcodec_send_frame(encoder.get(), &picture);
  if (error >= 0) error = avcodec_receive_packet(encoder.get(), packet.get());
  if (error < 0) {
    return absl::InternalError(fmt::format("a picture can't be encoded: {}", ErrorText(error)));
  }
  return std::string(reinterpret_cast<const char*>(packet->data),
                     static_cast<size_t>(packet->size));
}

}  // namespace

absl::StatusOr<std::string> MakeThumbnail(const AVFrame& frame, Turn turn) {
  const int wide = turn.sideways() ? frame.height : frame.width;
  const int high = turn.sideways() ? frame.width : frame.height;
  const int width = kThumbnailWidth;
  const int64_t scaled = int64_t{high} * width / std::max(wide, 1);
  const int height = static_cast<int>(std::clamp<int64_t>(scaled, 2, kMaxThumbnailHeight)) & ~1;
  ASSIGN_OR_RETURN(const Owned<AVFrame> small, ScaleUpright(frame, turn, width, height));
  return Encode(*small, kThumbnailQuality);
}

absl::StatusOr<std::string> MakePicture(const AVFrame& frame, Turn turn, uint32_t max_side,
                                        size_t max_bytes) {
  const auto width = static_cast<uint32_t>(frame.width);
  const auto height = static_cast<uint32_t>(frame.height);
  const PictureSize size =
      turn.sideways() ? FitPicture(height, width, max_side) : FitPicture(width, height, max_side);
  ASSIGN_OR_RETURN(
      const Owned<AVFrame> picture,
      ScaleUpright(frame, turn, static_cast<int>(size.width), static_cast<int>(size.height)));
  for (const int quality : kPictureQualities) {
    ASSIGN_OR_RETURN(std::string jpeg, Encode(*picture, quality));
    if (jpeg.size() <= max_bytes) return jpeg;
  }
  return absl::OutOfRangeError("the picture has more detail than a JPEG may hold here");
}

}  // namespace gleaner::cloud::media
