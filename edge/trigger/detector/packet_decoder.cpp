#include "edge/trigger/detector/packet_decoder.h"

extern "C" {
#include <libavcodec/avcodec.h>
}

#include <fmt/format.h>
#include <malloc.h>

#include "absl/status/status.h"

namespace gleaner::edge {
namespace {

// From this rate on, leaving out the frames that nothing refers to still leaves enough to look at.
constexpr double kFastFramesPerS = 15;

}  // namespace

void PacketDecoder::FreeContext::operator()(AVCodecContext* context) const {
  avcodec_free_context(&context);
}
void PacketDecoder::FreeFrame::operator()(AVFrame* frame) const { av_frame_free(&frame); }

PacketDecoder::~PacketDecoder() {
  context_.reset();
  frame_.reset();
  malloc_trim(0);
}

absl::StatusOr<std::unique_ptr<PacketDecoder>> PacketDecoder::Open(const VideoFormat& format) {
  const AVCodec* codec = avcodec_find_decoder(format.parameters->codec_id);
  if (codec == nullptr) {
    return absl::UnimplementedError(fmt::format("no decoder for {}", format.codec));
  }
  std::unique_ptr<PacketDecoder> decoder(new PacketDecoder());
  decoder->context_.reset(avcodec_alloc_context3(codec));
  decoder->frame_.reset(av_frame_alloc());
  AVCodecContext* context = decoder->context_.get();
  if (avcodec_parameters_to_context(context, format.parameters.get()) < 0) {
    return absl::InternalError(fmt::format("unusable parameters for {}", format.codec));
  }
  context->thread_count = 1;
  context->pkt_timebase = {format.time_base.numerator, format.time_base.denominator};
  // A reduced picture doesn't show what the loop filter does; leaving it out saves a sixth.
  context->skip_loop_filter = AVDISCARD_ALL;
  context->flags2 |= AV_CODEC_FLAG2_FAST;
  if (format.frames_per_s >= kFastFramesPerS) context->skip_frame = AVDISCARD_NONREF;
  if (avcodec_open2(context, codec, nullptr) < 0) {
    return absl::InternalError(fmt::format("the decoder for {} doesn't open", format.codec));
  }
  return decoder;
}

void PacketDecoder::Decode(const Packet& packet, const OnDecoded& on_decoded) {
  if (avcodec_send_packet(context_.get(), packet.data.get()) < 0) return;
  Receive(on_decoded);
}

void PacketDecoder::Finish(const OnDecoded& on_decoded) {
  avcodec_send_packet(context_.get(), nullptr);
  Receive(on_decoded);
}

void PacketDecoder::Receive(const OnDecoded& on_decoded) {
  while (avcodec_receive_frame(context_.get(), frame_.get()) >= 0) {
    on_decoded(*frame_);
    av_frame_unref(frame_.get());
  }
}

}  // namespace gleaner::edge
