#include "edge/camera/stream_parameters.h"

#include <cstring>

#include "common/limits.h"

namespace gleaner::edge {

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

bool SetExtradata(std::string_view bytes, AVCodecParameters* parameters) {
  auto* extradata = static_cast<uint8_t*>(av_mallocz(bytes.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  if (extradata == nullptr) return false;
  std::memcpy(extradata, bytes.data(), bytes.size());
  av_freep(&parameters->extradata);
  parameters->extradata = extradata;
  parameters->extradata_size = static_cast<int>(bytes.size());
  return true;
}

bool LearnFromKeyframe(const AVPacket& keyframe, AVCodecParameters* parameters,
                       double* frames_per_s) {
  const bool has_sets =
      parameters->codec_id == AV_CODEC_ID_H264 || parameters->codec_id == AV_CODEC_ID_HEVC;
  if (has_sets && parameters->extradata_size == 0) {
    const std::string sets = ParameterSets(*parameters, keyframe);
    if (sets.empty() || !SetExtradata(sets, parameters)) return false;
  }
  const AvPtr<AVCodecContext> decoder(
      avcodec_alloc_context3(avcodec_find_decoder(parameters->codec_id)));
  if (decoder == nullptr || avcodec_parameters_to_context(decoder.get(), parameters) < 0) {
    return false;
  }
  decoder->thread_count = 1;
  // One that is too large to be watched only tells its size.
  decoder->get_buffer2 = [](AVCodecContext* context, AVFrame* picture, int flags) {
    return PictureFits(picture->width, picture->height)
               ? avcodec_default_get_buffer2(context, picture, flags)
               : AVERROR(EINVAL);
  };
  if (avcodec_open2(decoder.get(), nullptr, nullptr) < 0) return false;
  // A damaged picture still says how large it is.
  avcodec_send_packet(decoder.get(), &keyframe);
  const AvPtr<AVFrame> frame = NewFrame();
  avcodec_receive_frame(decoder.get(), frame.get());
  if (decoder->width <= 0 || decoder->height <= 0) return false;
  if (decoder->framerate.num > 0 && decoder->framerate.den > 0) {
    *frames_per_s = av_q2d(decoder->framerate);
  }
  return avcodec_parameters_from_context(parameters, decoder.get()) >= 0;
}

}  // namespace gleaner::edge
