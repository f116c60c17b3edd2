#include "edge/camera/camera.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <mutex>
#include <utility>

#include "common/backoff.h"
#include "common/log.h"
#include "common/status.h"
#include "edge/camera/camera_opener.h"
#include "edge/camera/ffmpeg.h"
#include "edge/camera/h264_repair.h"
#include "edge/camera/picture_watch.h"
#include "edge/camera/source.h"
#include "edge/camera/timeline.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kFirstRetryNs = kNanosPerSecond / 2;
// How often a camera whose login rests looks whether its password has been corrected.
constexpr int64_t kLookNs = 5 * kNanosPerSecond;
// A file that is read in real time and falls behind by this much (the machine slept) goes on from
// here instead of rushing after the clock.
constexpr int64_t kMaxLateNs = 5 * kNanosPerSecond;
constexpr int64_t kRateWindowNs = 2 * kNanosPerSecond;

bool SameFormat(const VideoFormat& a, const VideoFormat& b) {
  return a.codec == b.codec && a.width == b.width && a.height == b.height &&
         a.time_base.numerator == b.time_base.numerator &&
         a.time_base.denominator == b.time_base.denominator &&
         a.parameters->format == b.parameters->format &&
         a.parameters->extradata_size == b.parameters->extradata_size &&
         (a.parameters->extradata_size == 0 ||
          std::memcmp(a.parameters->extradata, b.parameters->extradata,
                      a.parameters->extradata_size) == 0);
}

}  // namespace

class Camera::Impl {
 public:
  Impl(CameraOptions options, Clock& clock, PacketSink& sink, LoginGuard* guard)
      : options_(std::move(options)),
        clock_(clock),
        sink_(sink),
        kind_(options_.Kind()),
        own_guard_(clock),
        opener_(options_, guard != nullptr ? *guard : own_guard_, clock),
        timeline_(kind_ == SourceKind::kFile ? Timeline::kNoMaxGap : kMaxGapNs) {
    status_.source = ToString(kind_);
  }

  absl::Status Run(std::stop_token stop);

  CameraStatus status() const {
    std::lock_guard lock(mutex_);
    return status_;
  }
  const CameraOptions& options() const { return options_; }

 private:
  bool live() const { return kind_ != SourceKind::kFile; }
  absl::StatusOr<std::unique_ptr<Source>> OpenSource(std::stop_token stop);
  // Until a refused login may be tried again, or has been corrected.
  void AwaitLogin(std::stop_token stop);
  // Reads one run of the source to its end (OK) or failure.
  absl::Status Stream(Source& source, std::stop_token stop);
  void Begin(const VideoFormat& format);
  // Tells the sink, if it doesn't know this format already.
  void Announce(const VideoFormat& format);
  void Deliver(AvPtr<AVPacket> packet, std::stop_token stop);
  // The moment of `pts_ns` on the clock; waits for it where that is the pace.
  int64_t Meet(int64_t pts_ns, std::stop_token stop);
  void NotePacket(int64_t now_ns);
  void NoteDrop();
  void SetState(CameraState state, std::string problem);

  const CameraOptions options_;
  Clock& clock_;
  PacketSink& sink_;
  const SourceKind kind_;
  LoginGuard own_guard_;  // where cameras don't share one
  CameraOpener opener_;
  Timeline timeline_;
  ArrivalClock arrival_;
  int64_t quiet_since_ns_ = 0;   // when the source last gave a sign of life
  int64_t last_arrival_ns_ = 0;  // of a packet; 0 before the first
  bool anchored_ = false;        // files: anchor_ns_ is set
  int64_t anchor_ns_ = 0;        // files: monotonic time of PTS 0
  VideoFormat format_;           // as the sink knows it
  uint64_t dropped_ = 0;         // packets, because their times can't be
  int64_t last_drop_ns_ = 0;     // 0: none that the status still speaks of
  uint64_t frames_ = 0;
  int64_t rate_since_ns_ = 0;
  uint64_t rate_frames_ = 0;

  mutable std::mutex mutex_;
  CameraStatus status_;  // guarded by mutex_
};

absl::Status Camera::Impl::Run(std::stop_token stop) {
  Backoff backoff(kFirstRetryNs, kLastCameraRetryNs,
                  std::hash<std::string>()(options_.name) ^ clock_.WallNs());
  while (!stop.stop_requested()) {
    const uint64_t frames_before = frames_;
    absl::Status status;
    {
      auto source = OpenSource(stop);
      status = source.ok() ? Stream(**source, stop) : source.status();
    }
    if (stop.stop_requested()) break;
    const bool delivered = frames_ > frames_before;
    if (!live()) {
      if (status.ok() && options_.loop && delivered) continue;
      if (status.ok() && !delivered) {
        status = absl::InvalidArgumentError(
            fmt::format("{} holds no video frame", options_.address.shown()));
      }
      SetState(CameraState::kEnded, std::string(Message(status)));
      return status;
    }
    if (absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status)) {
      SetState(CameraState::kEnded, std::string(Message(status)));
      return status;
    }
    if (status.ok()) status = absl::UnavailableError("the stream ended");
    if (delivered) backoff.Reset();
    const int64_t rest_ns = opener_.LoginWaitNs();
    const int64_t wait_ns = std::max(backoff.NextNs(), rest_ns);
    LOG_WARN("camera {}: {}; trying again in {:.1f} s", options_.name, Message(status),
             static_cast<double>(wait_ns) / kNanosPerSecond);
    SetState(CameraState::kReconnecting, std::string(Message(status)));
    sink_.OnReconnecting();
    if (rest_ns > 0) {
      AwaitLogin(stop);
    } else {
      clock_.Sleep(stop, wait_ns);
    }
  }
  SetState(CameraState::kEnded, "");
  return absl::OkStatus();
}

void Camera::Impl::AwaitLogin(std::stop_token stop) {
  while (const int64_t rest_ns = opener_.LoginWaitNs()) {
    if (!clock_.Sleep(stop, std::min(rest_ns, kLookNs))) return;
    sink_.OnReconnecting();
  }
}

absl::StatusOr<std::unique_ptr<Source>> Camera::Impl::OpenSource(std::stop_token stop) {
  quiet_since_ns_ = clock_.MonotonicNs();
  auto interrupted = [this, stop] {
    return stop.stop_requested() ||
           (live() && clock_.MonotonicNs() - quiet_since_ns_ > options_.stall_timeout_ns);
  };
  auto source = opener_.Open(interrupted);
  // FFmpeg has several errors for an interrupted opening.
  if (!source.ok() && interrupted()) {
    return absl::UnavailableError(fmt::format("{} gave no answer for {} s",
                                              options_.address.shown(),
                                              options_.stall_timeout_ns / kNanosPerSecond));
  }
  return source;
}

absl::Status Camera::Impl::Stream(Source& source, std::stop_token stop) {
  VideoFormat format = source.format();
  Begin(format);
  PictureWatch watch(format);
  PresentationRepair repair(source.format());
  const AVCodecParameters& parameters = *source.format().parameters;
  for (bool more = true; more && !stop.stop_requested();) {
    auto packet = source.Read();
    if (absl::IsCancelled(packet.status())) {
      return absl::UnavailableError(
          fmt::format("no packet for {} s", options_.stall_timeout_ns / kNanosPerSecond));
    }
    const int64_t now_ns = clock_.MonotonicNs();
    quiet_since_ns_ = now_ns;
    const absl::Status read = packet.status();
    more = read.ok() && *packet != nullptr;
    if (live()) {
      if (more && ((*packet)->flags & AV_PKT_FLAG_KEY) != 0 && watch.Changed(**packet, &format)) {
        Announce(format);
      }
      if (more) Deliver(*std::move(packet), stop);
    } else {
      if (more) {
        DropImpossibleNalUnits(parameters, packet->get());
        repair.Push(*std::move(packet));
      } else {
        repair.Finish();
      }
      while (AvPtr<AVPacket> next = repair.Pop()) {
        Deliver(std::move(next), stop);
        if (stop.stop_requested()) break;
      }
    }
    RETURN_IF_ERROR(read);
  }
  if (source.end() != AV_NOPTS_VALUE) timeline_.EndAt(source.end());
  return absl::OkStatus();
}

void Camera::Impl::Begin(const VideoFormat& format) {
  const int64_t now_ns = clock_.MonotonicNs();
  const int64_t gap_ns = live() && last_arrival_ns_ > 0 ? now_ns - last_arrival_ns_ : 0;
  timeline_.Begin(format.time_base, format.frames_per_s, gap_ns);
  arrival_.Reset();
  last_drop_ns_ = 0;
  Announce(format);
  std::lock_guard lock(mutex_);
  status_.state = CameraState::kStreaming;
  status_.problem.clear();
}

void Camera::Impl::Announce(const VideoFormat& format) {
  if (format_.parameters == nullptr || !SameFormat(format_, format)) {
    format_ = format;
    LOG_INFO("camera {}: {} {}×{}, {:.4g} frames/s, time base {}/{}", options_.name, format.codec,
             format.width, format.height, format.frames_per_s, format.time_base.numerator,
             format.time_base.denominator);
    sink_.OnFormat(format_);
  }
  std::lock_guard lock(mutex_);
  status_.format = format_;
}

void Camera::Impl::Deliver(AvPtr<AVPacket> data, std::stop_token stop) {
  const int64_t quiet_ns =
      live() && last_arrival_ns_ > 0 ? clock_.MonotonicNs() - last_arrival_ns_ : 0;
  const auto stamps = timeline_.Place(data->pts, data->dts, data->duration, quiet_ns);
  if (!stamps.has_value()) {
    NoteDrop();
    return;
  }
  data->pts = stamps->pts;
  data->dts = stamps->dts;
  data->duration = stamps->duration;
  data->stream_index = 0;
  Packet packet;
  packet.pts = stamps->pts;
  packet.dts = stamps->dts;
  packet.size_bytes = static_cast<size_t>(data->size);
  packet.keyframe = (data->flags & AV_PKT_FLAG_KEY) != 0;
  packet.monotonic_ns = Meet(TicksToNs(stamps->pts, timeline_.time_base()), stop);
  if (stop.stop_requested()) return;
  packet.data = std::shared_ptr<const AVPacket>(data.release(), AvDeleter());
  NotePacket(clock_.MonotonicNs());
  sink_.OnPacket(packet);
}

int64_t Camera::Impl::Meet(int64_t pts_ns, std::stop_token stop) {
  const int64_t now_ns = clock_.MonotonicNs();
  if (live()) return arrival_.Map(pts_ns, now_ns);
  if (!anchored_) {
    anchored_ = true;
    anchor_ns_ = now_ns - pts_ns;
  }
  if (options_.pace == "fast") return anchor_ns_ + pts_ns;
  const int64_t early_ns = anchor_ns_ + pts_ns - now_ns;
  if (early_ns > 0) {
    clock_.Sleep(stop, early_ns);
  } else if (early_ns < -kMaxLateNs) {
    LOG_WARN("camera {}: {:.1f} s behind the clock; going on from here", options_.name,
             static_cast<double>(-early_ns) / kNanosPerSecond);
    anchor_ns_ = now_ns - pts_ns;
  }
  return anchor_ns_ + pts_ns;
}

void Camera::Impl::NotePacket(int64_t now_ns) {
  last_arrival_ns_ = now_ns;
  if (rate_since_ns_ == 0) rate_since_ns_ = now_ns;
  std::lock_guard lock(mutex_);
  status_.frames = ++frames_;
  status_.last_packet_monotonic_ns = now_ns;
  if (last_drop_ns_ > 0 && now_ns - last_drop_ns_ > kDropShownNs) {
    last_drop_ns_ = 0;
    status_.problem.clear();
  }
  ++rate_frames_;
  if (const int64_t passed_ns = now_ns - rate_since_ns_; passed_ns >= kRateWindowNs) {
    status_.frames_per_s = static_cast<double>(rate_frames_) * kNanosPerSecond / passed_ns;
    rate_since_ns_ = now_ns;
    rate_frames_ = 0;
  }
}

void Camera::Impl::NoteDrop() {
  if (++dropped_ == 1) {
    LOG_WARN(
        "camera {}: a frame is to be shown before it can be decoded; it is left out, as "
        "others like it will be",
        options_.name);
  }
  last_drop_ns_ = clock_.MonotonicNs();
  std::lock_guard lock(mutex_);
  status_.dropped = dropped_;
  status_.problem = fmt::format(
      "{} frames were left out: they are to be shown before they can be decoded", dropped_);
}

void Camera::Impl::SetState(CameraState state, std::string problem) {
  std::lock_guard lock(mutex_);
  status_.state = state;
  status_.problem = std::move(problem);
  if (state != CameraState::kStreaming) status_.frames_per_s = 0;
}

Camera::Camera(CameraOptions options, Clock& clock, PacketSink& sink, LoginGuard* guard)
    : impl_(std::make_unique<Impl>(std::move(options), clock, sink, guard)) {}
Camera::~Camera() = default;
absl::Status Camera::Run(std::stop_token stop) { return impl_->Run(stop); }
CameraStatus Camera::status() const { return impl_->status(); }
const CameraOptions& Camera::options() const { return impl_->options(); }

}  // namespace gleaner::edge
