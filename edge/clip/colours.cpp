#include "edge/clip/colours.h"

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace gleaner::edge {
namespace {

// From so many lines on an unnamed matrix is taken for BT.709, as players do.
constexpr int kHdLines = 720;

bool IsRgb(const AVFrame& frame) {
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  return format != nullptr && (format->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
}

// How a YUV frame came about.
AVColorSpace MatrixOf(const AVFrame& frame, AVCodecID codec) {
  if (frame.colorspace != AVCOL_SPC_UNSPECIFIED && frame.colorspace != AVCOL_SPC_RGB) {
    return frame.colorspace;
  }
  const bool camera = codec == AV_CODEC_ID_MJPEG || codec == AV_CODEC_ID_RAWVIDEO;
  return camera || frame.height < kHdLines ? AVCOL_SPC_SMPTE170M : AVCOL_SPC_BT709;
}

}  // namespace

Colours ColoursOf(const AVFrame& frame, AVCodecID codec) {
  Colours colours;
  if (!IsRgb(frame)) colours.matrix = MatrixOf(frame, codec);
  if (frame.color_primaries != AVCOL_PRI_UNSPECIFIED) colours.primaries = frame.color_primaries;
  if (frame.color_trc != AVCOL_TRC_UNSPECIFIED) colours.transfer = frame.color_trc;
  return colours;
}

bool IsFullRange(const AVFrame& frame) {
  switch (frame.format) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ411P:
      return true;
    default:
      return frame.color_range == AVCOL_RANGE_JPEG || IsRgb(frame);
  }
}

int ScalerFlags(const AVFrame& frame) {
  return SWS_FAST_BILINEAR | (IsRgb(frame) ? SWS_ACCURATE_RND : 0);
}

void SetColours(const AVFrame& frame, AVCodecID codec, const Colours& to, bool to_full_range,
                SwsContext* scaler) {
  sws_setColorspaceDetails(scaler, sws_getCoefficients(MatrixOf(frame, codec)),
                           IsFullRange(frame) ? 1 : 0, sws_getCoefficients(to.matrix),
                           to_full_range ? 1 : 0, 0, 1 << 16, 1 << 16);
}

}  // namespace gleaner::edge
