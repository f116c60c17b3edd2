#include "edge/camera/picture_watch.h"

#include <cstring>
#include <string>

namespace gleaner::edge {
namespace {

// The parameter sets in a packet, as they stand there; empty if there are none.
std::string ParameterSets(const AVCodecParameters& parameters, const AVPacket& keyframe) {
  AVBSFContext* context = nullptr;
  if (av_bsf_alloc(av_bsf_get_by_name("extract_extradata"), &context) < 0) return "";
  const AvPtr<AVBSFContext> filter(context);
  const AvPtr<AVPacket> packet(av_packet_clone(&keyframe));
  if (packet == nullptr || avcodec_parameters_copy(filter->par_in, &parameters) < 0 ||
      av_bsf_init(filter.get()) < 0 || av_bsf_send_packet(filter.get(), packet.get()) < 0 ||
      av_bsf_receive_packet(filter.get(), packet.get()) < 0) {
    return "";
  }
  size_t size = 0;
  const uint8_t* bytes = av_packet_get_side_data(packet.get(), AV_PKT_DATA_NEW_EXTRADATA, &size);
  return bytes == nullptr ? "" : std::string(reinterpret_cast<const char*>(bytes), size);
}

}  // namespace

PictureWatch::PictureWatch(const VideoFormat& format) {
  if (!format.Remuxable()) return;
  context_.reset(avcodec_alloc_context3(nullptr));
  parser_.reset(av_parser_init(format.parameters->codec_id));
  if (parser_ == nullptr || context_ == nullptr ||
      avcodec_parameters_to_context(context_.get(), format.parameters.get()) < 0) {
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
  av_freep(&parameters->extradata);
  parameters->extradata_size = 0;
  auto* extradata = static_cast<uint8_t*>(av_mallocz(sets.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  if (extradata == nullptr) return false;
  std::memcpy(extradata, sets.data(), sets.size());
  parameters->extradata = extradata;
  parameters->extradata_size = static_cast<int>(sets.size());
  format->parameters = parameters;
  return true;
}

}  // namespace gleaner::edge
