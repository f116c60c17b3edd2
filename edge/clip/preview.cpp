#include "edge/clip/preview.h"

#include <algorithm>
#include <utility>

#include "common/status.h"
#include "common/turn.h"
#include "edge/clip/colours.h"
#include "edge/clip/decoder.h"

namespace gleaner::edge {
namespace {

constexpr int kQuality = 4;  // of MJPEG's 1 (best) to 31

AvPtr<AVFrame> NewPicture(int width, int height) {
  AvPtr<AVFrame> picture = NewFrame();
  picture->format = AV_PIX_FMT_YUVJ420P;
  picture->width = width;
  picture->height = height;
  return av_frame_get_buffer(picture.get(), 0) < 0 ? nullptr : std::move(picture);
}

// In JPEG's own colours: BT.601, full range.
absl::StatusOr<AvPtr<AVFrame>> Scale(const AVFrame& frame, AVCodecID codec, int width, int height) {
  AvPtr<AVFrame> scaled = NewPicture(width, height);
  AvPtr<SwsContext> scaler(
      sws_getContext(frame.width, frame.height, static_cast<AVPixelFormat>(frame.format), width,
                     height, AV_PIX_FMT_YUVJ420P, SWS_AREA, nullptr, nullptr, nullptr));
  if (scaled == nullptr || scaler == nullptr) {
    return absl::InvalidArgumentError("pixels that can't be scaled");
  }
  SetColours(frame, codec, Colours{}, /*to_full_range=*/true, scaler.get());
  if (const int error = sws_scale_frame(scaler.get(), scaled.get(), &frame); error < 0) {
    return AvStatus(error, "scaling");
  }
  return scaled;
}

// At most kPreviewWidth wide once it is turned.
absl::StatusOr<AvPtr<AVFrame>> MakePicture(const AVFrame& frame, AVCodecID codec, Turn turn) {
  const int wide = turn.sideways() ? frame.height : frame.width;
  const int high = turn.sideways() ? frame.width : frame.height;
  const int width = std::min(wide, kPreviewWidth);
  const int height = std::max<int>(1, static_cast<int>(av_rescale(high, width, wide)));
  ASSIGN_OR_RETURN(AvPtr<AVFrame> small, turn.sideways() ? Scale(frame, codec, height, width)
                                                         : Scale(frame, codec, width, height));
  if (!turn.upright()) {
    AvPtr<AVFrame> upright = NewPicture(width, height);
    if (upright == nullptr) return absl::ResourceExhaustedError("no memory for a preview");
    for (int plane = 0; plane < 3; ++plane) {
      const auto size = [plane](int side) { return plane == 0 ? side : (side + 1) / 2; };
      TurnPlane(turn, small->data[plane], small->linesize[plane], size(small->width),
                size(small->height), upright->data[plane], upright->linesize[plane]);
    }
    small = std::move(upright);
  }
  small->color_range = AVCOL_RANGE_JPEG;
  return small;
}

absl::StatusOr<std::string> EncodeJpeg(AVFrame* frame) {
  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
  if (codec == nullptr) return absl::NotFoundError("this FFmpeg has no JPEG encoder");
  AvPtr<AVCodecContext> context(avcodec_alloc_context3(codec));
  context->width = frame->width;
  context->height = frame->height;
  context->pix_fmt = AV_PIX_FMT_YUVJ420P;
  context->color_range = AVCOL_RANGE_JPEG;
  context->time_base = {1, 25};
  context->thread_count = 1;
  context->flags |= AV_CODEC_FLAG_QSCALE;
  context->global_quality = kQuality * FF_QP2LAMBDA;
  frame->quality = context->global_quality;
  frame->pict_type = AV_PICTURE_TYPE_NONE;
  frame->pts = 0;
  int error = avcodec_open2(context.get(), codec, nullptr);
  if (error >= 0) error = avcodec_send_frame(context.get(), frame);
  if (error >= 0) error = avcodec_send_frame(context.get(), nullptr);
  AvPtr<AVPacket> packet = NewPacket();
  if (error >= 0) error = avcodec_receive_packet(context.get(), packet.get());
  if (error < 0) return AvStatus(error, "JPEG encoder");
  return std::string(reinterpret_cast<const char*>(packet->data),
                     static_cast<size_t>(packet->size));
}

}  // namespace

absl::StatusOr<std::string> MakePreview(const std::vector<StreamPacket>& packets,
                                        int64_t monotonic_ns) {
  if (packets.empty()) return absl::NotFoundError("no packet to make a preview of");
  const VideoFormat& format = packets.front().stream->format;
  const Packet& anchor = packets.front().packet;
  const int64_t wanted_pts =
      anchor.pts + NsToTicks(monotonic_ns - anchor.monotonic_ns, format.time_base);
  ASSIGN_OR_RETURN(auto decoder, Decoder::Open(format));
  AvPtr<AVFrame> shown;
  bool found = false;
  auto take = [&] {
    AvPtr<AVFrame> frame = NewFrame();
    while (!found && decoder->Receive(frame.get())) {
      found = shown != nullptr && frame->pts > wanted_pts;
      if (!found) shown = std::exchange(frame, NewFrame());
    }
  };
  for (size_t i = 0; i < packets.size() && !found; ++i) {
    decoder->Send(packets[i].packet.data.get()).IgnoreError();
    take();
  }
  if (!found) {
    decoder->Send(nullptr).IgnoreError();
    take();
  }
  if (shown == nullptr) return absl::DataLossError("no frame could be decoded");
  Turn turn;
  if (format.display_matrix != nullptr) turn = TurnOf(format.display_matrix->data());
  ASSIGN_OR_RETURN(AvPtr<AVFrame> scaled, MakePicture(*shown, format.parameters->codec_id, turn));
  return EncodeJpeg(scaled.get());
}

}  // namespace gleaner::edge
