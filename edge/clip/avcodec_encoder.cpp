#include "edge/clip/avcodec_encoder.h"

#include "common/status.h"
#include "fmt/format.h"

extern "C" {
#include <libavutil/hwcontext.h>
}

namespace gleaner::edge {

absl::StatusOr<std::unique_ptr<Encoder>> AvcodecEncoder::Open(const AvcodecOptions& options,
                                                              const EncoderSettings& settings) {
  const AVCodec* codec = avcodec_find_encoder_by_name(options.name.c_str());
  if (codec == nullptr) return absl::NotFoundError("not in this FFmpeg");
  auto encoder = std::unique_ptr<AvcodecEncoder>(new AvcodecEncoder);
  encoder->name_ = options.name;
  encoder->pixels_ = options.pixels;
  encoder->context_.reset(avcodec_alloc_context3(codec));
  AVCodecContext& context = *encoder->context_;
  context.width = settings.width;
  context.height = settings.height;
  context.pix_fmt = options.pixels;
  context.framerate = av_d2q(settings.frames_per_s, 1001 * 120);
  context.time_base = av_inv_q(context.framerate);
  context.bit_rate = settings.bits_per_s;
  context.rc_max_rate = settings.bits_per_s * 2;
  context.rc_buffer_size = static_cast<int>(settings.bits_per_s * 2);
  context.max_b_frames = 0;
  context.gop_size = 1'000'000;  // keyframes come when told
  context.thread_count = 1;
  context.color_range = AVCOL_RANGE_MPEG;
  context.colorspace = settings.colours.matrix;
  context.color_primaries = settings.colours.primaries;
  context.color_trc = settings.colours.transfer;
  if (options.device != AV_HWDEVICE_TYPE_NONE) RETURN_IF_ERROR(encoder->OpenDevice(options));

  AVDictionary* dictionary = nullptr;
  for (const auto& [key, value] : options.options) av_dict_set(&dictionary, key, value, 0);
  const int error = avcodec_open2(&context, codec, &dictionary);
  av_dict_free(&dictionary);
  if (error < 0) return AvStatus(error, "can't be opened");
  return encoder;
}

absl::Status AvcodecEncoder::OpenDevice(const AvcodecOptions& options) {
  AVBufferRef* device = nullptr;
  if (const int error = av_hwdevice_ctx_create(&device, options.device, nullptr, nullptr, 0);
      error < 0) {
    return AvStatus(error, "no device");
  }
  AvPtr<AVBufferRef> owner(device);
  frames_.reset(av_hwframe_ctx_alloc(device));
  if (frames_ == nullptr) return absl::ResourceExhaustedError("no device frames");
  auto* frames = reinterpret_cast<AVHWFramesContext*>(frames_->data);
  frames->format = options.device_pixels;
  frames->sw_format = options.pixels;
  frames->width = context_->width;
  frames->height = context_->height;
  frames->initial_pool_size = 8;
  if (const int error = av_hwframe_ctx_init(frames_.get()); error < 0) {
    return AvStatus(error, "no device frames");
  }
  context_->pix_fmt = options.device_pixels;
  context_->hw_frames_ctx = av_buffer_ref(frames_.get());
  return absl::OkStatus();
}

absl::StatusOr<AvPtr<AVFrame>> AvcodecEncoder::Prepare(const AVFrame& frame) {
  AvPtr<AVFrame> prepared(av_frame_clone(&frame));
  if (pixels_ != AV_PIX_FMT_YUV420P) {
    if (convert_ == nullptr) {
      convert_.reset(sws_getContext(frame.width, frame.height, AV_PIX_FMT_YUV420P, frame.width,
                                    frame.height, pixels_, SWS_POINT, nullptr, nullptr, nullptr));
    }
    AvPtr<AVFrame> converted = NewFrame();
    if (const int error = sws_scale_frame(convert_.get(), converted.get(), prepared.get());
        error < 0) {
      return AvStatus(error, "conversion");
    }
    prepared = std::move(converted);
  }
  if (frames_ != nullptr) {
    AvPtr<AVFrame> uploaded = NewFrame();
    int error = av_hwframe_get_buffer(frames_.get(), uploaded.get(), 0);
    if (error >= 0) error = av_hwframe_transfer_data(uploaded.get(), prepared.get(), 0);
    if (error < 0) return AvStatus(error, "upload");
    prepared = std::move(uploaded);
  }
  return prepared;
}

absl::Status AvcodecEncoder::Encode(const AVFrame& frame, bool keyframe,
                                    std::vector<AvPtr<AVPacket>>* out) {
  ASSIGN_OR_RETURN(AvPtr<AVFrame> prepared, Prepare(frame));
  prepared->pict_type = keyframe ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
  prepared->pts = frames_in_++;
  pts_.push_back(frame.pts);
  if (const int error = avcodec_send_frame(context_.get(), prepared.get()); error < 0) {
    return AvStatus(error, "refused a frame");
  }
  return Receive(out);
}

absl::Status AvcodecEncoder::Flush(std::vector<AvPtr<AVPacket>>* out) {
  if (const int error = avcodec_send_frame(context_.get(), nullptr); error < 0) {
    return AvStatus(error, "flush");
  }
  return Receive(out);
}

absl::Status AvcodecEncoder::Receive(std::vector<AvPtr<AVPacket>>* out) {
  for (;;) {
    AvPtr<AVPacket> packet = NewPacket();
    const int error = avcodec_receive_packet(context_.get(), packet.get());
    if (error == AVERROR(EAGAIN) || error == AVERROR_EOF) return absl::OkStatus();
    if (error < 0) return AvStatus(error, "lost a frame");
    // Frames leave in the order in which they came: there are no B-frames.
    if (pts_.empty()) return absl::InternalError("returned more frames than it took");
    packet->pts = packet->dts = pts_.front();
    pts_.pop_front();
    packet->duration = 0;
    out->push_back(std::move(packet));
  }
}

}  // namespace gleaner::edge
