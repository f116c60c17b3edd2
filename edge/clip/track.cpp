#include "edge/clip/track.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/limits.h"
#include "common/status.h"
#include "common/turn.h"
#include "edge/camera/ffmpeg.h"
#include "edge/camera/random_access.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

// Room for the last fragment and the index at the end of the file.
constexpr uint64_t kMaxVideoBytes = kMaxObjectBytes - (64ull << 20);
constexpr char kFormatChanged[] = "the camera's format changed";
constexpr char kJumped[] = "the camera's clock jumped";
constexpr char kAfterFull[] = "the clip grew later than its packets could be held";

// More than H.264 and H.265 allow.
constexpr ptrdiff_t kReordered = 32;

// The length of a protobuf varint.
uint64_t VarintBytes(uint64_t value) {
  uint64_t bytes = 1;
  while (value >>= 7) ++bytes;
  return bytes;
}

}  // namespace

bool Continues(const StreamInfo& before, const StreamInfo& after) {
  const VideoFormat& a = before.format;
  const VideoFormat& b = after.format;
  if (a.codec != b.codec || a.width != b.width || a.height != b.height ||
      a.time_base.numerator != b.time_base.numerator ||
      a.time_base.denominator != b.time_base.denominator || !SameTurn(a, b)) {
    return false;
  }
  const AVCodecParameters& p = *a.parameters;
  const AVCodecParameters& q = *b.parameters;
  if (p.extradata_size == q.extradata_size &&
      (p.extradata_size == 0 || std::memcmp(p.extradata, q.extradata, p.extradata_size) == 0)) {
    return true;
  }
  // Our own H.264 encoders put the parameter sets in front of each keyframe; a camera may not.
  return a.codec == "h264" && before.encoder != "remux" && after.encoder != "remux";
}

Track::Track(std::string camera, int64_t start_ns, int64_t end_ns, int64_t fired_ns,
             uint64_t after_max_bytes, ClipWriter& clip)
    : camera_(std::move(camera)),
      start_ns_(start_ns),
      end_ns_(end_ns),
      fired_ns_(fired_ns),
      after_max_bytes_(after_max_bytes),
      clip_(clip),
      waiting_(0, after_max_bytes),
      preview_(0, after_max_bytes, /*reach_ns=*/0) {}

absl::Status Track::Feed(const StreamPacket& packet) {
  if (finished_ || !cut_.empty()) return absl::OkStatus();
  if (past_end_) {
    KeepForExtend(packet);
    return absl::OkStatus();
  }
  if (muxer_ != nullptr) return Write(packet);

  // Until the start is passed a later keyframe may serve better than the one at hand.
  if (packet.packet.monotonic_ns <= start_ns_) {
    waiting_.Push(packet);
    return absl::OkStatus();
  }
  std::vector<StreamPacket> packets = waiting_.From(start_ns_);
  waiting_.Clear();
  if (!packets.empty() && packets.back().packet.run != packet.packet.run) packets.clear();
  if (packets.empty() && !packet.packet.keyframe) {
    ++without_keyframe_;
    // A keyframe that comes now is too late, so that there is nothing to wait for.
    if (packet.packet.monotonic_ns >= end_ns_) past_end_ = true;
    return absl::OkStatus();
  }
  packets.push_back(packet);
  return Start(packets);
}

absl::Status Track::Start(const std::vector<StreamPacket>& packets) {
  if (packets.front().packet.monotonic_ns >= end_ns_) {
    past_end_ = true;  // nothing of the camera is in the window
    for (const StreamPacket& packet : packets) KeepForExtend(packet);
    return absl::OkStatus();
  }
  const Packet& first = packets.front().packet;
  stream_ = packets.front().stream;
  format_ = stream_->format;
  encoder_ = stream_->encoder;
  clean_start_ = first.CleanStart();
  first_pts_ = file_pts_ = first.pts;
  first_ns_ = file_ns_ = first.monotonic_ns;
  lead_in_left_ = first.recovery_frames;
  has_lead_in_ = lead_in_left_ > 0;
  if (!clean_start_ && format_.codec == "h264") {
    open_start_ = std::make_unique<OpenStart>(format_.parameters);
  }
  run_ = first.run;
  object_ = clip_.NewObject();
  ASSIGN_OR_RETURN(muxer_, Muxer::Open(format_, *object_));
  for (const StreamPacket& packet : packets) RETURN_IF_ERROR(Feed(packet));
  return absl::OkStatus();
}

absl::Status Track::Mux(const Packet& packet) {
  if (open_start_ == nullptr) return muxer_->Write(packet);
  Packet mended = packet;
  mended.data = open_start_->Mend(packet.data);
  if (open_start_->done()) open_start_.reset();
  return muxer_->Write(mended);
}

absl::Status Track::Write(const StreamPacket& stream_packet) {
  const Packet& packet = stream_packet.packet;
  if (stream_packet.stream != stream_) {
    if (!Continues(*stream_, *stream_packet.stream)) {
      cut_ = kFormatChanged;
      return absl::OkStatus();
    }
    if (stream_->encoder != stream_packet.stream->encoder) {
      encoder_ += "+" + stream_packet.stream->encoder;
    }
    stream_ = stream_packet.stream;
  }
  if (packet.run != run_) {
    cut_ = kJumped;
    return absl::OkStatus();
  }
  if (lead_in_left_ > 0) {
    const bool step = packet.pts != file_pts_ && IsReference(*format_.parameters, *packet.data);
    // An IDR picture shows all at once; else the last reference frame that was to come does.
    if (packet.CleanStart()) {
      lead_in_left_ = 0;
    } else if (!step || --lead_in_left_ > 0) {
      KeepForPreview(stream_packet, INT64_MIN);
      return Mux(packet);
    }
    first_pts_ = packet.pts;
    first_ns_ = packet.monotonic_ns;
  }
  if (packet.pts < first_pts_) return absl::OkStatus();
  if (HasFrameAt(packet.pts)) {
    ++same_time_;
    return absl::OkStatus();
  }
  const int64_t dts_ns =
      packet.monotonic_ns - TicksToNs(packet.pts - packet.dts, format_.time_base);
  if (dts_ns >= end_ns_ && packet.pts > last_pts_) {
    past_end_ = true;
    // Without reordering the last frame is shown until this one.
    if (packet.pts == packet.dts) last_duration_ = packet.pts - last_pts_;
    KeepForExtend(stream_packet);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(Mux(packet));
  if (!frames_.empty()) {
    delta_bytes_ +=
        VarintBytes(static_cast<uint64_t>(FileTicks(packet.dts - last_dts_, format_.time_base)));
  }
  last_dts_ = packet.dts;
  frames_.push_back(packet.pts);
  if (packet.pts > last_pts_) {
    last_pts_ = packet.pts;
    last_ns_ = packet.monotonic_ns;
    last_duration_ = std::max<int64_t>(1, packet.data->duration);
  }
  KeepForPreview(stream_packet, dts_ns);
  return absl::OkStatus();
}

bool Track::HasFrameAt(int64_t pts) const {
  // Frames are out of order by a few only.
  const auto first =
      std::ssize(frames_) > kReordered ? frames_.end() - kReordered : frames_.begin();
  return std::find(first, frames_.end(), pts) != frames_.end();
}

void Track::KeepForExtend(const StreamPacket& packet) {
  after_full_ = after_full_ || after_bytes_ + packet.packet.size_bytes > after_max_bytes_;
  if (after_full_) return;
  after_bytes_ += packet.packet.size_bytes;
  after_.push_back(packet);
}

void Track::KeepForPreview(const StreamPacket& packet, int64_t dts_ns) {
  if (preview_ready_) return;
  // A keyframe shown later would have the ring forget what the firing's frame needs.
  const bool next_group = packet.packet.keyframe && packet.packet.monotonic_ns > fired_ns_;
  if (!preview_.empty() && (dts_ns > fired_ns_ || next_group)) {
    preview_ready_ = true;
    return;
  }
  preview_.Push(packet);
}

void Track::DropPreview() {
  preview_ready_ = true;
  preview_.Clear();
}

absl::Status Track::Extend(int64_t end_ns) {
  if (end_ns <= end_ns_) return absl::OkStatus();
  end_ns_ = end_ns;
  if (!past_end_) return absl::OkStatus();
  past_end_ = false;
  const std::deque<StreamPacket> packets = std::exchange(after_, {});
  after_bytes_ = 0;
  const bool gap_follows = std::exchange(after_full_, false);
  for (const StreamPacket& packet : packets) RETURN_IF_ERROR(Feed(packet));
  after_full_ = gap_follows;
  if (gap_follows && !past_end_ && cut_.empty()) cut_ = kAfterFull;
  return absl::OkStatus();
}

absl::Status Track::Finish(const std::string& reason) {
  finished_ = true;
  if (!past_end_ && cut_.empty()) cut_ = reason;
  waiting_.Clear();
  after_.clear();
  if (muxer_ == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(muxer_->Finish());
  return object_->Finish();
}

bool Track::full() const {
  return frames_.size() >= kMaxFrames || (muxer_ && muxer_->bytes_written() >= kMaxVideoBytes);
}

uint64_t Track::manifest_bytes() const {
  if (muxer_ == nullptr) return 0;
  return delta_bytes_ + 8 * (BlockCount(muxer_->bytes_written()) + 4);
}

int64_t Track::end_ns() const { return last_ns_ + TicksToNs(last_duration_, format_.time_base); }

std::string Track::start_note() const {
  if (empty() || clean_start_) return "";
  if (!has_lead_in_) {
    return fmt::format(
        "it has sent no IDR picture for {} s, so that the clip starts at a keyframe "
        "of an open GOP",
        kCleanReachNs / kNanosPerSecond);
  }
  return fmt::format(
      "it sends no IDR pictures but refreshes them bit by bit: its file begins {:.1f} "
      "s before its first whole picture",
      static_cast<double>(first_ns_ - file_ns_) / kNanosPerSecond);
}

v1::VideoTrack Track::Describe() const {
  v1::VideoTrack track;
  track.set_camera(camera_);
  track.set_codec(format_.codec);
  track.set_width(static_cast<uint32_t>(format_.width));
  track.set_height(static_cast<uint32_t>(format_.height));
  const TimeBase base = FileTimeBase(format_.time_base);
  track.set_time_base_numerator(static_cast<uint32_t>(base.numerator));
  track.set_time_base_denominator(static_cast<uint32_t>(base.denominator));
  std::vector<int64_t> pts = frames_;
  std::sort(pts.begin(), pts.end());
  track.set_first_pts(FileTicks(pts.front(), format_.time_base));
  track.mutable_pts_delta()->Reserve(static_cast<int>(pts.size()) - 1);
  for (size_t i = 1; i < pts.size(); ++i) {
    track.add_pts_delta(static_cast<uint32_t>(FileTicks(pts[i] - pts[i - 1], format_.time_base)));
  }
  track.set_frame_count(static_cast<uint32_t>(pts.size()));
  track.set_first_frame_monotonic_ns(first_ns_);
  track.set_last_frame_monotonic_ns(last_ns_);
  track.set_encoder(encoder_);
  track.set_lead_in_ticks(
      static_cast<uint32_t>(FileTicks(first_pts_ - file_pts_, format_.time_base)));
  if (format_.display_matrix != nullptr) {
    track.set_rotation_degrees(
        static_cast<uint32_t>(TurnOf(format_.display_matrix->data()).degrees()));
  }
  return track;
}

}  // namespace gleaner::edge
