#include "edge/camera/picture_order.h"

#include <algorithm>

namespace gleaner::edge {
namespace {

// A count so far behind is of a new period whose start was lost: fields count by one, frames by
// two.
constexpr int64_t kMaxCountsBack = 2 * 2 * PictureOrder::kMaxDepth;

}  // namespace

PictureOrder::PictureOrder(const VideoFormat& format) {
  if (!format.Remuxable()) return;
  context_.reset(avcodec_alloc_context3(nullptr));
  if (context_ == nullptr ||
      avcodec_parameters_to_context(context_.get(), format.parameters.get()) < 0) {
    return;
  }
  parser_.reset(av_parser_init(format.parameters->codec_id));
  if (parser_ != nullptr) parser_->flags |= PARSER_FLAG_COMPLETE_FRAMES;
}

PicturePlace PictureOrder::Next(const AVPacket& packet) {
  PicturePlace place = newest_;
  if (parser_ == nullptr) {
    ++place.count;
  } else {
    uint8_t* out = nullptr;
    int out_size = 0;
    av_parser_parse2(parser_.get(), context_.get(), &out, &out_size, packet.data, packet.size,
                     packet.pts, packet.dts, packet.pos);
    place.count = parser_->output_picture_number;
    const bool starts = parser_->key_frame == 1 && place.count == 0;
    if (starts || place.count < newest_.count - kMaxCountsBack) ++place.period;
  }
  last_count_ = place.count;
  newest_ = std::max(newest_, place);
  return place;
}

PicturePlace PictureOrder::BeginPeriod() {
  newest_ = {newest_.period + 1, last_count_};
  return newest_;
}

}  // namespace gleaner::edge
