#include "edge/clip/muxer.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "common/status.h"
#include "edge/camera/ffmpeg.h"
#include "edge/clip/hevc_sets.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

constexpr int kBufferBytes = 64 << 10;
constexpr int64_t kFragmentNs = kNanosPerSecond;
// With ticks this fine there is room for all reordered frames before the next one's time.
constexpr int kFineTicksPerSecond = 1000;

}  // namespace

class Muxer::Impl {
 public:
  explicit Impl(ObjectWriter& object) : object_(object) {}
  ~Impl() {
    if (context_ == nullptr) return;
    if (context_->pb != nullptr) {
      av_freep(&context_->pb->buffer);
      avio_context_free(&context_->pb);
    }
    avformat_free_context(context_);
  }

  absl::Status Open(const VideoFormat& format);
  absl::Status Write(const Packet& packet);
  absl::Status WriteHeld();
  absl::Status Finish();
  uint64_t bytes_written() const { return bytes_written_; }

 private:
  static int OnBytes(void* self, const uint8_t* data, int size);
  // What FFmpeg said, or, where the object failed underneath it, what the object said.
  absl::Status Result(int error, std::string_view what) const {
    if (!object_status_.ok()) return object_status_;
    return error < 0 ? AvStatus(error, what) : absl::OkStatus();
  }

  ObjectWriter& object_;
  absl::Status object_status_;
  uint64_t bytes_written_ = 0;
  AVFormatContext* context_ = nullptr;
  // The newest packet. It is written when the next one says how long it lasts in decode order: a
  // fragment whose durations don't add up makes FFmpeg bend the next one's times.
  AvPtr<AVPacket> held_;
  std::unique_ptr<HevcSets> sets_;  // null for every codec but H.265
  bool h264_ = false;
  TimeBase time_base_;
  bool squeeze_ = false;        // negative DTS
  int64_t fragment_start_ = 0;  // DTS of its first packet
  int64_t last_dts_ = INT64_MIN;
};

int Muxer::Impl::OnBytes(void* self, const uint8_t* data, int size) {
  Impl& muxer = *static_cast<Impl*>(self);
  if (muxer.object_status_.ok()) {
    muxer.object_status_ = muxer.object_.Append({data, static_cast<size_t>(size)});
  }
  if (!muxer.object_status_.ok()) return AVERROR(EIO);
  muxer.bytes_written_ += static_cast<uint64_t>(size);
  return size;
}

absl::Status Muxer::Impl::Open(const VideoFormat& format) {
  QuietFfmpeg();
  if (const int error = avformat_alloc_output_context2(&context_, nullptr, "mp4", nullptr);
      error < 0) {
    return AvStatus(error, "MP4 muxer");
  }
  AVStream* stream = avformat_new_stream(context_, nullptr);
  avcodec_parameters_copy(stream->codecpar, format.parameters.get());
  stream->codecpar->codec_tag = 0;
  h264_ = format.parameters->codec_id == AV_CODEC_ID_H264;
  if (format.parameters->codec_id == AV_CODEC_ID_HEVC) {
    stream->codecpar->codec_tag = MKTAG('h', 'v', 'c', '1');
    sets_ = std::make_unique<HevcSets>(*format.parameters);
  }
  if (format.display_matrix != nullptr) {
    const size_t size = sizeof *format.display_matrix;
    uint8_t* matrix = av_stream_new_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, size);
    if (matrix == nullptr) return absl::ResourceExhaustedError("no memory for a display matrix");
    std::memcpy(matrix, format.display_matrix->data(), size);
  }
  time_base_ = format.time_base;
  stream->time_base = ToRational(FileTimeBase(time_base_));
  squeeze_ = time_base_.denominator / time_base_.numerator >= kFineTicksPerSecond;

  auto* buffer = static_cast<uint8_t*>(av_malloc(kBufferBytes));
  context_->pb = avio_alloc_context(
      buffer, kBufferBytes, 1, this, nullptr,
      // Const or not, by FFmpeg's version.
      [](void* self, auto* data, int size) { return OnBytes(self, data, size); }, nullptr);
  context_->pb->seekable = 0;
  context_->flags |= AVFMT_FLAG_CUSTOM_IO;
  context_->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;

  AVDictionary* options = nullptr;
  // frag_discont: the first fragment's decode time is the first DTS, not 0. Without an edit list
  // nothing else shifts times.
  av_dict_set(&options, "movflags",
              "frag_custom+empty_moov+default_base_moof+frag_discont+write_colr", 0);
  av_dict_set(&options, "use_editlist", "0", 0);
  av_dict_set_int(&options, "video_track_timescale", time_base_.denominator, 0);
  const int error = avformat_write_header(context_, &options);
  av_dict_free(&options);
  RETURN_IF_ERROR(Result(error, "MP4 header"));
  if (stream->time_base.num != 1 || stream->time_base.den != time_base_.denominator) {
    return absl::InternalError(fmt::format("MP4 can't count in 1/{} s", time_base_.denominator));
  }
  return absl::OkStatus();
}

absl::Status Muxer::Impl::Write(const Packet& packet) {
  AvPtr<AVPacket> next;
  if (sets_ != nullptr && packet.keyframe) next = sets_->LeaveOut(*packet.data);
  if (next == nullptr) next.reset(av_packet_clone(packet.data.get()));
  if (next == nullptr) return absl::ResourceExhaustedError("no memory for a packet");
  // A sync sample is one that every player may seek to (ISO 14496-12, 8.6.2): of H.264 an IDR
  // picture and, since there is no other, the one that the file starts at. Chromium gives up on a
  // file when it seeks into an open GOP.
  const bool first = held_ == nullptr;
  if (h264_ && packet.open_start && !first) next->flags &= ~AV_PKT_FLAG_KEY;
  next->stream_index = 0;
  next->pts = FileTicks(packet.pts, time_base_);
  next->dts = FileTicks(packet.dts, time_base_);
  next->duration = FileTicks(packet.data->duration, time_base_);
  if (squeeze_ && (next->dts < 0 || next->dts <= last_dts_)) {
    next->dts = std::max<int64_t>(0, last_dts_ + 1);
  }
  if (held_ != nullptr) {
    held_->duration = next->dts - held_->dts;
    RETURN_IF_ERROR(WriteHeld());
    const int64_t fragment_ns = TicksToNs(next->dts - fragment_start_, FileTimeBase(time_base_));
    if (fragment_ns >= kFragmentNs || (packet.keyframe && fragment_ns >= kFragmentNs / 2)) {
      RETURN_IF_ERROR(Result(av_write_frame(context_, nullptr), "MP4 fragment"));
      fragment_start_ = next->dts;
    }
  } else {
    fragment_start_ = next->dts;
  }
  last_dts_ = next->dts;
  held_ = std::move(next);
  return absl::OkStatus();
}

absl::Status Muxer::Impl::WriteHeld() {
  const int error = av_write_frame(context_, held_.get());
  held_.reset();
  return Result(error, "MP4 sample");
}

absl::Status Muxer::Impl::Finish() {
  if (held_ != nullptr) RETURN_IF_ERROR(WriteHeld());
  const int error = av_write_trailer(context_);
  avio_flush(context_->pb);
  return Result(error, "MP4 trailer");
}

Muxer::Muxer() = default;
Muxer::~Muxer() = default;

absl::StatusOr<std::unique_ptr<Muxer>> Muxer::Open(const VideoFormat& format,
                                                   ObjectWriter& object) {
  auto muxer = std::unique_ptr<Muxer>(new Muxer);
  muxer->impl_ = std::make_unique<Impl>(object);
  RETURN_IF_ERROR(muxer->impl_->Open(format));
  return muxer;
}

absl::Status Muxer::Write(const Packet& packet) { return impl_->Write(packet); }
absl::Status Muxer::Finish() { return impl_->Finish(); }
uint64_t Muxer::bytes_written() const { return impl_->bytes_written(); }

}  // namespace gleaner::edge
