#include "cloud/media/worker/scaling.h"

#include <utility>

#include "common/status.h"

namespace gleaner::cloud::media {
namespace {

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

void SetColours(const AVFrame& frame, SwsContext* scaler) {
  int matrix = frame.colorspace;
  if (matrix == AVCOL_SPC_UNSPECIFIED) {
    matrix = frame.height >= kHdLines ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
  }
  sws_setColorspaceDetails(scaler, sws_getCoefficients(matrix), IsFullRange(frame) ? 1 : 0,
                           sws_getCoefficients(SWS_CS_ITU601), 1, 0, 1 << 16, 1 << 16);
}

absl::StatusOr<Owned<AVFrame>> Scale(const AVFrame& frame, int width, int height) {
  Owned<AVFrame> scaled = NewPicture(width, height);
  if (scaled == nullptr) return absl::ResourceExhaustedError("no memory");
  const Owned<SwsContext> scaler(
      sws_getContext(frame.width, frame.height, static_cast<AVPixelFormat>(frame.format), width,
                     height, AV_PIX_FMT_YUVJ420P, SWS_AREA, nullptr, nullptr, nullptr));
  if (scaler == nullptr) return absl::InvalidArgumentError("a frame can't be scaled");
  SetColours(frame, scaler.get());
  if (sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height, scaled->data,
                scaled->linesize) != height) {
    return absl::InvalidArgumentError("a frame can't be scaled");
  }
  return scaled;
}

}  // namespace

bool IsFullRange(const AVFrame& frame) {
  return frame.color_range == AVCOL_RANGE_JPEG || frame.format == AV_PIX_FMT_YUVJ420P ||
         frame.format == AV_PIX_FMT_YUVJ422P || frame.format == AV_PIX_FMT_YUVJ444P;
}

absl::StatusOr<Owned<AVFrame>> ScaleUpright(const AVFrame& frame, Turn turn, int width,
                                            int height) {
  ASSIGN_OR_RETURN(Owned<AVFrame> scaled,
                   turn.sideways() ? Scale(frame, height, width) : Scale(frame, width, height));
  if (turn.upright()) return scaled;
  Owned<AVFrame> upright = NewPicture(width, height);
  if (upright == nullptr) return absl::ResourceExhaustedError("no memory");
  for (int plane = 0; plane < 3; ++plane) {
    const int shift = plane == 0 ? 0 : 1;
    // Half of an odd side is rounded up.
    TurnPlane(turn, scaled->data[plane], scaled->linesize[plane], (scaled->width + shift) >> shift,
              (scaled->height + shift) >> shift, upright->data[plane], upright->linesize[plane]);
  }
  return upright;
}

}  // namespace gleaner::cloud::media
