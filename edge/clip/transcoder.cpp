#include "edge/clip/transcoder.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/status.h"
#include "common/text.h"
#include "edge/clip/decoder.h"
#include "edge/clip/encoder.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kKeyframeNs = kNanosPerSecond;
constexpr double kUsualRate = 25;
// Bits for each pixel shown: enough that fine print on a product stays legible at 640×480.
constexpr double kBitsPerPixel = 0.12;
constexpr int64_t kMinBitsPerSecond = 400'000;
constexpr int64_t kMaxBitsPerSecond = 12'000'000;
// An encoder that takes frames and returns none has failed without saying so.
constexpr uint64_t kMaxInFlight = 60;

}  // namespace

class Transcoder::Impl {
 public:
  absl::Status Open(const VideoFormat& input, const std::vector<std::string>& encoders,
                    Callbacks callbacks);
  absl::Status OnPacket(const Packet& packet);
  absl::Status Flush();
  uint64_t damaged() const { return damaged_; }

 private:
  absl::Status TakeFrames();
  absl::Status OnFrame(AvPtr<AVFrame> frame);
  absl::StatusOr<AvPtr<AVFrame>> Convert(AvPtr<AVFrame> frame);
  // Encodes with the encoder in use, or with the next that works.
  absl::Status Encode(const AVFrame& frame);
  void Emit(std::vector<AvPtr<AVPacket>> packets);
  int64_t MonotonicNs(int64_t pts) const {
    return mapped_ns_ + TicksToNs(pts - mapped_pts_, input_.time_base);
  }

  VideoFormat input_;
  Callbacks callbacks_;
  EncoderSettings settings_;
  std::unique_ptr<Decoder> decoder_;
  AvPtr<SwsContext> convert_;
  AVPixelFormat convert_from_ = AV_PIX_FMT_NONE;
  std::vector<std::string> candidates_;  // encoders not yet tried
  std::string encoder_name_;
  std::unique_ptr<Encoder> encoder_;  // null before the first frame
  bool seen_ = false;                 // the first frame: it says what the colours are
  bool announced_ = false;            // on_format was called for encoder_
  uint64_t in_flight_ = 0;            // frames that encoder_ holds
  int64_t last_pts_ = INT64_MIN;
  int64_t last_keyframe_ns_ = INT64_MIN;
  int64_t duration_ = 1;    // of the newest input packet, in ticks
  int64_t mapped_pts_ = 0;  // a PTS
  int64_t mapped_ns_ = 0;   // and its moment
  uint32_t run_ = 0;        // of the newest input packet
  uint64_t damaged_ = 0;
};

absl::Status Transcoder::Impl::Open(const VideoFormat& input,
                                    const std::vector<std::string>& encoders, Callbacks callbacks) {
  for (const std::string& name : encoders) {
    if (!IsEncoder(name)) return absl::NotFoundError(fmt::format("no encoder named {}", name));
  }
  input_ = input;
  callbacks_ = std::move(callbacks);
  candidates_ = encoders.empty() ? DefaultEncoders() : encoders;
  ASSIGN_OR_RETURN(decoder_, Decoder::Open(input));
  settings_.width = std::max(2, input.width & ~1);  // 4:2:0 has half as many chroma samples
  settings_.height = std::max(2, input.height & ~1);
  settings_.frames_per_s =
      std::clamp(input.frames_per_s > 0 ? input.frames_per_s : kUsualRate, 1.0, 120.0);
  settings_.bits_per_s = std::clamp(static_cast<int64_t>(kBitsPerPixel * settings_.width *
                                                         settings_.height * settings_.frames_per_s),
                                    kMinBitsPerSecond, kMaxBitsPerSecond);
  return absl::OkStatus();
}

absl::Status Transcoder::Impl::OnPacket(const Packet& packet) {
  mapped_pts_ = packet.pts;
  mapped_ns_ = packet.monotonic_ns;
  duration_ = std::max<int64_t>(1, packet.data->duration);
  // A clip of the new run needs a keyframe to start with.
  if (std::exchange(run_, packet.run) != packet.run) last_keyframe_ns_ = INT64_MIN;
  if (absl::Status status = decoder_->Send(packet.data.get()); !status.ok()) {
    if (++damaged_ == 1) {
      LOG_WARN("{} packet at {}: {}; it is skipped, as others like it will be", input_.codec,
               packet.pts, Message(status));
    }
  }
  return TakeFrames();
}

absl::Status Transcoder::Impl::Flush() {
  decoder_->Send(nullptr).IgnoreError();
  RETURN_IF_ERROR(TakeFrames());
  if (encoder_ == nullptr) return absl::OkStatus();
  std::vector<AvPtr<AVPacket>> packets;
  RETURN_IF_ERROR(encoder_->Flush(&packets));
  Emit(std::move(packets));
  return absl::OkStatus();
}

absl::Status Transcoder::Impl::TakeFrames() {
  for (;;) {
    AvPtr<AVFrame> frame = NewFrame();
    if (!decoder_->Receive(frame.get())) return absl::OkStatus();
    RETURN_IF_ERROR(OnFrame(std::move(frame)));
  }
}

absl::Status Transcoder::Impl::OnFrame(AvPtr<AVFrame> decoded) {
  if (decoded->pts <= last_pts_) {  // AV_NOPTS_VALUE is the least number
    ++damaged_;
    return absl::OkStatus();
  }
  const int64_t pts = decoded->pts;
  auto frame = Convert(std::move(decoded));
  if (!frame.ok()) {
    ++damaged_;
    return absl::OkStatus();
  }
  last_pts_ = pts;
  (*frame)->pts = pts;
  (*frame)->pict_type = AV_PICTURE_TYPE_NONE;
  const std::shared_ptr<const AVFrame> shared(frame->release(), AvDeleter());
  callbacks_.on_frame({shared, pts, MonotonicNs(pts)});
  return Encode(*shared);
}

absl::StatusOr<AvPtr<AVFrame>> Transcoder::Impl::Convert(AvPtr<AVFrame> frame) {
  const auto from = static_cast<AVPixelFormat>(frame->format);
  const AVCodecID codec = input_.parameters->codec_id;
  const Colours colours = ColoursOf(*frame, codec);
  if (!std::exchange(seen_, true)) settings_.colours = colours;  // and so it stays
  if (from == AV_PIX_FMT_YUV420P && frame->width == settings_.width &&
      frame->height == settings_.height && !IsFullRange(*frame) && colours == settings_.colours) {
    return frame;
  }
  if (convert_ == nullptr || convert_from_ != from || frame->width != input_.width ||
      frame->height != input_.height) {
    if (frame->width != input_.width || frame->height != input_.height) {
      input_.width = frame->width;
      input_.height = frame->height;
    }
    convert_.reset(sws_getContext(frame->width, frame->height, from, settings_.width,
                                  settings_.height, AV_PIX_FMT_YUV420P, ScalerFlags(*frame),
                                  nullptr, nullptr, nullptr));
    convert_from_ = from;
    if (convert_ == nullptr) return absl::InvalidArgumentError("pixels that can't be converted");
    SetColours(*frame, codec, settings_.colours, /*to_full_range=*/false, convert_.get());
  }
  AvPtr<AVFrame> converted = NewFrame();
  converted->format = AV_PIX_FMT_YUV420P;
  converted->width = settings_.width;
  converted->height = settings_.height;
  if (const int error = sws_scale_frame(convert_.get(), converted.get(), frame.get()); error < 0) {
    return AvStatus(error, "conversion");
  }
  converted->color_range = AVCOL_RANGE_MPEG;
  converted->colorspace = settings_.colours.matrix;
  return converted;
}

absl::Status Transcoder::Impl::Encode(const AVFrame& frame) {
  for (;;) {
    if (encoder_ == nullptr) {
      ASSIGN_OR_RETURN(ChosenEncoder chosen,
                       ChooseEncoder(candidates_, settings_, frame, input_.codec));
      encoder_name_ = chosen.name;
      encoder_ = std::move(chosen.encoder);
      candidates_.erase(candidates_.begin(),
                        std::find(candidates_.begin(), candidates_.end(), chosen.name) + 1);
      announced_ = false;
      in_flight_ = 0;
      last_keyframe_ns_ = INT64_MIN;
    }
    const int64_t now_ns = TicksToNs(frame.pts, input_.time_base);
    const bool keyframe =
        last_keyframe_ns_ == INT64_MIN || now_ns - last_keyframe_ns_ >= kKeyframeNs;
    std::vector<AvPtr<AVPacket>> packets;
    absl::Status status = encoder_->Encode(frame, keyframe, &packets);
    ++in_flight_;
    if (status.ok() && in_flight_ > kMaxInFlight + packets.size()) {
      status = absl::UnavailableError("takes frames and returns none");
    }
    if (status.ok()) {
      if (keyframe) last_keyframe_ns_ = now_ns;
      Emit(std::move(packets));
      return absl::OkStatus();
    }
    LOG_ERROR("encoder {} failed: {}; {} lost with it", encoder_name_, Message(status),
              Count(static_cast<uint64_t>(in_flight_ - 1), "frame"));
    encoder_.reset();
    if (candidates_.empty()) {
      return absl::UnavailableError(fmt::format("encoder {} failed ({}) and no other is left",
                                                encoder_name_, Message(status)));
    }
  }
}

void Transcoder::Impl::Emit(std::vector<AvPtr<AVPacket>> packets) {
  for (AvPtr<AVPacket>& data : packets) {
    if (in_flight_ > 0) --in_flight_;
    if (!announced_) {
      announced_ = true;
      VideoFormat format;
      format.codec = avcodec_get_name(encoder_->codec());
      format.width = settings_.width;
      format.height = settings_.height;
      format.time_base = input_.time_base;
      format.frames_per_s = input_.frames_per_s;
      format.parameters = ParametersFrom(encoder_->codec(), settings_, *data);
      format.display_matrix = input_.display_matrix;
      callbacks_.on_format(format, encoder_name_);
    }
    data->duration = duration_;
    Packet packet;
    packet.pts = data->pts;
    packet.dts = data->dts;
    packet.monotonic_ns = MonotonicNs(data->pts);
    packet.size_bytes = static_cast<size_t>(data->size);
    packet.keyframe = (data->flags & AV_PKT_FLAG_KEY) != 0;
    packet.run = run_;
    packet.data = std::shared_ptr<const AVPacket>(data.release(), AvDeleter());
    callbacks_.on_packet(packet);
  }
}

Transcoder::Transcoder() = default;
Transcoder::~Transcoder() = default;

absl::StatusOr<std::unique_ptr<Transcoder>> Transcoder::Open(
    const VideoFormat& input, const std::vector<std::string>& encoders, Callbacks callbacks) {
  auto transcoder = std::unique_ptr<Transcoder>(new Transcoder);
  transcoder->impl_ = std::make_unique<Impl>();
  RETURN_IF_ERROR(transcoder->impl_->Open(input, encoders, std::move(callbacks)));
  return transcoder;
}

absl::Status Transcoder::OnPacket(const Packet& packet) { return impl_->OnPacket(packet); }
absl::Status Transcoder::Flush() { return impl_->Flush(); }
uint64_t Transcoder::damaged() const { return impl_->damaged(); }

}  // namespace gleaner::edge
