#include "edge/camera/picture_watch.h"

#include <string>

#include "edge/camera/stream_parameters.h"

namespace gleaner::edge {
PictureWatch::PictureWatch(const VideoFormat& format) {
  // In MP4 framing (extradata of version 1) parameter sets stand in the file's header only.
  const AVCodecParameters& parameters = *format.parameters;
  const bool mp4 = parameters.extradata_size > 0 && parameters.extradata[0] == 1;
  if (!format.Remuxable() || mp4) return;
  context_.reset(avcodec_alloc_context3(nullptr));
  parser_.reset(av_parser_init(parameters.codec_id));
  if (parser_ == nullptr || context_ == nullptr ||
      avcodec_parameters_to_context(context_.get(), &parameters) < 0) {
    context_.reset();
    return;
  }
  parser_->flags |= PARSER_FLAG_COMPLETE_FRAMES;
}

bool PictureWatch::Changed(const AVPacket& keyframe, VideoFormat* format) {
  if (context_ == nullptr) return false;
  uint8_t* frame = nullptr;
  int size = 0;
  av_parser_parse2(parser_.get(), context_.get(), &frame, &size, keyframe.data, keyframe.size,
                   AV_NOPTS_VALUE, AV_NOPTS_VALUE, -1);
  if (parser_->width <= 0 || parser_->height <= 0) return false;
  // Not compared with `format`: it may come from elsewhere and count cropped rows differently.
  const bool first = width_ == 0;
  const bool same = parser_->width == width_ && parser_->height == height_;
  width_ = parser_->width;
  height_ = parser_->height;
  if (first || same) return false;
  const std::string sets = ParameterSets(*format->parameters, keyframe);
  if (sets.empty()) return false;

  const std::shared_ptr<AVCodecParameters> parameters = CopyParameters(*format->parameters);
  parameters->width = format->width = width_;
  parameters->height = format->height = height_;
  if (!SetExtradata(sets, parameters.get())) return false;
  format->parameters = parameters;
  return true;
}

}  // namespace gleaner::edge
