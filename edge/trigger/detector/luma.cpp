#include "edge/trigger/detector/luma.h"

extern "C" {
#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <algorithm>
#include <cmath>
#include <utility>

namespace gleaner::edge {
namespace {

// The scaler writes whole vectors.
constexpr int kStrideStep = 64;

// What the scaler reads of a frame: grey where there is a plane of 8-bit luma, so that colour is
// never touched.
AVPixelFormat ReadAs(AVPixelFormat format) {
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(format);
  if (description == nullptr || (description->flags & AV_PIX_FMT_FLAG_HWACCEL) != 0) {
    return AV_PIX_FMT_NONE;
  }
  const AVComponentDescriptor& luma = description->comp[0];
  constexpr uint64_t kNotLuma =
      AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_BAYER;
  if ((description->flags & kNotLuma) == 0 && luma.plane == 0 && luma.depth == 8 &&
      luma.step == 1) {
    return AV_PIX_FMT_GRAY8;
  }
  return sws_isSupportedInput(format) != 0 ? format : AV_PIX_FMT_NONE;
}

}  // namespace

LumaReducer::~LumaReducer() { sws_freeContext(scaler_); }
LumaReducer::LumaReducer(LumaReducer&& other) noexcept
    : most_(other.most_), scaler_(std::exchange(other.scaler_, nullptr)) {}

LumaPicture LumaReducer::Reduce(const std::shared_ptr<const AVFrame>& shared) {
  const AVFrame& frame = *shared;
  const AVPixelFormat format = ReadAs(static_cast<AVPixelFormat>(frame.format));
  if (format == AV_PIX_FMT_NONE || frame.width <= 0 || frame.height <= 0) return {};
  double scale = 1;
  if (most_.width > 0) scale = std::min(scale, static_cast<double>(most_.width) / frame.width);
  if (most_.height > 0) scale = std::min(scale, static_cast<double>(most_.height) / frame.height);
  if (scale == 1 && format == AV_PIX_FMT_GRAY8) {
    return {frame.width, frame.height, frame.linesize[0],
            std::shared_ptr<const uint8_t[]>(shared, frame.data[0])};
  }
  LumaPicture reduced;
  reduced.width = std::max(1, static_cast<int>(std::lround(frame.width * scale)));
  reduced.height = std::max(1, static_cast<int>(std::lround(frame.height * scale)));
  scaler_ =
      sws_getCachedContext(scaler_, frame.width, frame.height, format, reduced.width,
                           reduced.height, AV_PIX_FMT_GRAY8, SWS_AREA, nullptr, nullptr, nullptr);
  if (scaler_ == nullptr) return {};
  reduced.stride = (reduced.width + kStrideStep - 1) / kStrideStep * kStrideStep;
  const auto cells =
      std::make_shared<uint8_t[]>(static_cast<size_t>(reduced.stride) * reduced.height);
  uint8_t* planes[4] = {cells.get()};
  const int strides[4] = {reduced.stride};
  if (sws_scale(scaler_, frame.data, frame.linesize, 0, frame.height, planes, strides) <= 0) {
    return {};
  }
  reduced.cells = cells;
  return reduced;
}

}  // namespace gleaner::edge
