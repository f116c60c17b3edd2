#include "edge/trigger/detector/luma.h"

extern "C" {
#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace gleaner::edge {
namespace {

constexpr int kMaxWidth = 320;
constexpr int kMaxHeight = 180;

cv::Size ReducedSize(int width, int height) {
  const double scale = std::min(
      {1.0, static_cast<double>(kMaxWidth) / width, static_cast<double>(kMaxHeight) / height});
  return {std::max(1, static_cast<int>(std::lround(width * scale))),
          std::max(1, static_cast<int>(std::lround(height * scale)))};
}

}  // namespace

bool ReduceLuma(const AVFrame& frame, cv::Mat& out) {
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  constexpr uint64_t kUnreadable = AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_PAL |
                                   AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_BE |
                                   AV_PIX_FMT_FLAG_BAYER | AV_PIX_FMT_FLAG_FLOAT;
  if (format == nullptr || (format->flags & kUnreadable) != 0 || frame.width <= 0 ||
      frame.height <= 0) {
    return false;
  }
  // Component 0 is luma, or red in RGB formats.
  const AVComponentDescriptor& luma = format->comp[0];
  const bool rgb = (format->flags & AV_PIX_FMT_FLAG_RGB) != 0;
  const int bytes = luma.depth > 8 ? 2 : 1;
  const int channels = luma.step / bytes;
  if (luma.depth < 8 || luma.depth > 16 || luma.step % bytes != 0 || channels < 1 || channels > 4) {
    return false;
  }
  const cv::Mat plane(frame.height, frame.width, CV_MAKETYPE(bytes == 1 ? CV_8U : CV_16U, channels),
                      frame.data[luma.plane], static_cast<size_t>(frame.linesize[luma.plane]));
  const cv::Size size = ReducedSize(frame.width, frame.height);
  if (bytes == 1 && channels == 1) {
    cv::resize(plane, out, size, 0, 0, cv::INTER_AREA);
    return true;
  }
  cv::Mat reduced;
  cv::resize(plane, reduced, size, 0, 0, cv::INTER_AREA);
  cv::Mat first;
  if (rgb && channels >= 3) {
    // Green alone has most of the brightness and is its own component.
    cv::extractChannel(reduced, first, format->comp[1].offset / bytes);
  } else {
    cv::extractChannel(reduced, first, luma.offset / bytes);
  }
  if (bytes == 1) {
    out = first;
  } else {
    first.convertTo(out, CV_8U, 1.0 / (1 << (luma.depth + luma.shift - 8)));
  }
  return true;
}

}  // namespace gleaner::edge
