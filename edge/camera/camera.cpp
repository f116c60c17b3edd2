#include "edge/camera/camera.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "common/backoff.h"
#include "common/log.h"
#include "common/log_throttle.h"
#include "common/status.h"
#include "common/text.h"
#include "edge/camera/arrival_clock.h"
#include "edge/camera/camera_opener.h"
#include "edge/camera/ffmpeg.h"
#include "edge/camera/h264_repair.h"
#include "edge/camera/live_stamps.h"
#include "edge/camera/picture_repeats.h"
#include "edge/camera/picture_watch.h"
#include "edge/camera/random_access.h"
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

bool SameFormat(const VideoFormat& a, const VideoFormat& b) {
  return SameTurn(a, b) && a.codec == b.codec && a.width == b.width && a.height == b.height &&
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
        report_(options_.name, ToString(kind_), clock) {}

  absl::Status Run(std::stop_token stop);

  CameraStatus status() const { return report_.status(); }
  const CameraOptions& options() const { return options_; }
  void OnRead(std::function<void()> read) { read_ = std::move(read); }

 private:
  bool live() const { return kind_ != SourceKind::kFile; }
  absl::StatusOr<std::unique_ptr<Source>> OpenSource(std::stop_token stop);
  // Until a refused login may be tried again, or has been corrected.
  void AwaitLogin(std::stop_token stop);
  // Each reads one run of the source to its end (OK) or failure.
  absl::Status StreamLive(Source& source, std::stop_token stop);
  absl::Status StreamFile(Source& source, std::stop_token stop);
  // The source's next packet, null at its end.
  absl::StatusOr<AvPtr<AVPacket>> Read(Source& source);
  void Begin(const VideoFormat& format, size_t depth, int64_t after_ns);
  // Tells the sink, if it doesn't know this format already.
  void Announce(const VideoFormat& format);
  // Brings packet and format to the sink. `monotonic_ns` says the moment of a PTS of the timeline.
  absl::Status Deliver(AvPtr<AVPacket> packet, PictureWatch& watch, VideoFormat* format,
                       const std::function<int64_t(int64_t pts_ns)>& monotonic_ns,
                       std::stop_token stop);
  // Files: the moment of `pts_ns` on the clock; waits for it where that is the pace.
  int64_t Meet(int64_t pts_ns, std::stop_token stop);

  const CameraOptions options_;
  Clock& clock_;
  PacketSink& sink_;
  LogThrottle log_throttle_{clock_};
  const SourceKind kind_;
  LoginGuard own_guard_;  // where cameras don't share one
  CameraOpener opener_;
  std::function<void()> read_ = [] {};
  Timeline timeline_;
  ArrivalClock arrival_;           // live
  int64_t quiet_since_ns_ = 0;     // when the source last gave a sign of life
  int64_t arrived_before_ns_ = 0;  // and the time before
  int64_t newest_ns_ = 0;          // live: the latest moment of a frame; 0 before the first
  bool anchored_ = false;          // files: anchor_ns_ is set
  int64_t anchor_ns_ = 0;          // files: monotonic time of PTS 0
  VideoFormat format_;             // as the sink knows it
  uint64_t damaged_before_ = 0;    // packets of earlier openings
  uint64_t frames_ = 0;            // handed on
  CameraReport report_;
};

absl::Status Camera::Impl::Run(std::stop_token stop) {
  Backoff backoff(kFirstRetryNs, kLastCameraRetryNs,
                  std::hash<std::string>()(options_.name) ^ clock_.WallNs());
  while (!stop.stop_requested()) {
    const uint64_t frames_before = frames_;
    absl::Status status;
    {
      auto source = OpenSource(stop);
      status = source.status();
      if (source.ok()) {
        status = live() ? StreamLive(**source, stop) : StreamFile(**source, stop);
        damaged_before_ += (*source)->damaged();
      }
    }
    if (stop.stop_requested()) break;
    const bool delivered = frames_ > frames_before;
    if (!live()) {
      if (status.ok() && options_.loop && delivered) continue;
      if (status.ok() && !delivered) {
        status = absl::InvalidArgumentError(
            fmt::format("{} holds no video frame", options_.address.shown()));
      }
      report_.State(CameraState::kEnded, std::string(Message(status)));
      return status;
    }
    if (absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status)) {
      report_.State(CameraState::kEnded, std::string(Message(status)));
      return status;
    }
    if (status.ok()) status = absl::UnavailableError("the stream ended");
    if (delivered) backoff.Reset();
    const int64_t rest_ns = opener_.LoginWaitNs();
    const int64_t wait_ns = std::max(backoff.NextNs(), rest_ns);
    const int64_t wait_s = (wait_ns + kNanosPerSecond - 1) / kNanosPerSecond;
    LOG_WARN("camera {}: {}; trying again {}", options_.name, Message(status),
             wait_s <= 1 ? "at once" : "in " + Span(wait_s));
    report_.State(CameraState::kReconnecting, std::string(Message(status)));
    sink_.OnReconnecting();
    if (rest_ns > 0) {
      AwaitLogin(stop);
    } else {
      clock_.Sleep(stop, wait_ns);
    }
  }
  report_.State(CameraState::kEnded, "");
  return absl::OkStatus();
}

void Camera::Impl::AwaitLogin(std::stop_token stop) {
  while (const int64_t rest_ns = opener_.LoginWaitNs()) {
    if (!clock_.Sleep(stop, std::min(rest_ns, kLookNs))) return;
    sink_.OnReconnecting();
  }
}

absl::StatusOr<std::unique_ptr<Source>> Camera::Impl::OpenSource(std::stop_token stop) {
  const int64_t opened_ns = clock_.MonotonicNs();
  quiet_since_ns_ = opened_ns;
  const auto interrupted = [this, stop] {
    return stop.stop_requested() ||
           (live() && clock_.MonotonicNs() - quiet_since_ns_ > options_.stall_timeout_ns);
  };
  uint64_t frames = 0;
  auto source = opener_.Open(
      {.interrupted = interrupted,
       .arrived =
           [this] {
             arrived_before_ns_ = quiet_since_ns_;
             quiet_since_ns_ = clock_.MonotonicNs();
           },
       .before_keyframe =
           [&] {
             read_();
             const double waited_s =
                 static_cast<double>(clock_.MonotonicNs() - opened_ns) / kNanosPerSecond;
             report_.State(CameraState::kOpening,
                           fmt::format("waiting for a keyframe: none among {} in {:.0f} s",
                                       Count(++frames, "frame"), waited_s));
             sink_.OnReconnecting();
           }});
  // FFmpeg has several errors for an interrupted opening.
  if (!source.ok() && interrupted()) {
    const int64_t timeout_s = options_.stall_timeout_ns / kNanosPerSecond;
    return absl::UnavailableError(frames > 0 ? fmt::format("no packet for {} s", timeout_s)
                                             : fmt::format("{} gave no answer for {} s",
                                                           options_.address.shown(), timeout_s));
  }
  return source;
}

absl::StatusOr<AvPtr<AVPacket>> Camera::Impl::Read(Source& source) {
  auto packet = source.Read();
  if (absl::IsCancelled(packet.status())) {
    return absl::UnavailableError(
        fmt::format("no packet for {} s", options_.stall_timeout_ns / kNanosPerSecond));
  }
  read_();
  quiet_since_ns_ = clock_.MonotonicNs();
  report_.Damaged(damaged_before_ + source.damaged());
  return packet;
}

absl::Status Camera::Impl::StreamLive(Source& source, std::stop_token stop) {
  VideoFormat format = source.format();
  PictureWatch watch(format);
  PictureRepeats repeats(format);
  LiveStamps stamps(format, arrival_);
  report_.Opened();
  bool began = false;
  for (bool more = true; more && !stop.stop_requested();) {
    auto packet = Read(source);
    more = packet.ok() && *packet != nullptr;
    if (more && repeats.Is(**packet)) {
      report_.LeftOut(absl::AlreadyExistsError("is the one before it once more"));
    } else if (more) {
      // A frame had come with the part before the one that showed its end.
      stamps.Push(*std::move(packet), source.one_behind() ? arrived_before_ns_ : quiet_since_ns_);
    } else {
      stamps.Finish();
    }
    while (auto next = stamps.Pop()) {
      const int64_t after_ns = newest_ns_ > 0 ? next->monotonic_ns - newest_ns_ : 0;
      if (!std::exchange(began, true)) {
        format.frames_per_s = stamps.frames_per_s();
        Begin(format, stamps.depth(), after_ns);
      } else if (next->jumped) {
        timeline_.Jump(after_ns);
      }
      newest_ns_ = std::max(newest_ns_, next->monotonic_ns);
      RETURN_IF_ERROR(Deliver(
          std::move(next->data), watch, &format, [&](int64_t) { return next->monotonic_ns; },
          stop));
      if (stop.stop_requested()) break;
    }
    report_.Stamps(stamps.counts(), arrival_.sure() ? 1 / arrival_.rate() : 0);
    RETURN_IF_ERROR(packet.status());
  }
  return absl::OkStatus();
}

absl::Status Camera::Impl::StreamFile(Source& source, std::stop_token stop) {
  VideoFormat format = source.format();
  PictureWatch watch(format);
  PresentationRepair repair(format);
  bool began = false;
  for (bool more = true; more && !stop.stop_requested();) {
    auto packet = Read(source);
    more = packet.ok() && *packet != nullptr;
    if (more) {
      DropImpossibleNalUnits(*source.format().parameters, packet->get());
      repair.Push(*std::move(packet));
    } else {
      repair.Finish();
    }
    while (AvPtr<AVPacket> next = repair.Pop()) {
      if (!std::exchange(began, true)) Begin(format, repair.depth(), 0);
      RETURN_IF_ERROR(Deliver(
          std::move(next), watch, &format, [&](int64_t pts_ns) { return Meet(pts_ns, stop); },
          stop));
      if (stop.stop_requested()) break;
    }
    RETURN_IF_ERROR(packet.status());
  }
  if (source.end() != AV_NOPTS_VALUE) timeline_.EndAt(source.end());
  return absl::OkStatus();
}

void Camera::Impl::Begin(const VideoFormat& format, size_t depth, int64_t after_ns) {
  timeline_.Begin(format.time_base, format.frames_per_s, depth, after_ns);
  Announce(format);
  report_.State(CameraState::kStreaming, "");
}

void Camera::Impl::Announce(const VideoFormat& format) {
  if (format_.parameters == nullptr || !SameFormat(format_, format)) {
    format_ = format;
    if (const auto more = log_throttle_.Admit(fmt::format("formats of camera {}", options_.name))) {
      LOG_INFO("camera {}: {} {}×{}, {:.4g} frames/s, time base {}/{}{}", options_.name,
               format.codec, format.width, format.height, format.frames_per_s,
               format.time_base.numerator, format.time_base.denominator, *more);
    }
    sink_.OnFormat(format_);
  }
  report_.Format(format_);
}

absl::Status Camera::Impl::Deliver(AvPtr<AVPacket> data, PictureWatch& watch, VideoFormat* format,
                                   const std::function<int64_t(int64_t pts_ns)>& monotonic_ns,
                                   std::stop_token stop) {
  const bool keyframe = (data->flags & AV_PKT_FLAG_KEY) != 0;
  if (keyframe && watch.Changed(*data, format)) {
    RETURN_IF_ERROR(CheckPicture(options_.address.shown(), format->width, format->height));
    Announce(*format);
  }
  const auto stamps = timeline_.Place(data->pts, data->dts, data->duration);
  if (!stamps.ok()) {
    report_.LeftOut(stamps.status());
    return absl::OkStatus();
  }
  data->pts = stamps->pts;
  data->dts = stamps->dts;
  data->duration = stamps->duration;
  data->stream_index = 0;
  Packet packet;
  packet.pts = stamps->pts;
  packet.dts = stamps->dts;
  packet.size_bytes = static_cast<size_t>(data->size);
  packet.keyframe = keyframe;
  if (keyframe) {
    const RandomAccess access = LookAtKeyframe(*format_.parameters, *data);
    packet.open_start = !access.clean;
    packet.recovery_frames = access.recovery_frames;
  }
  packet.run = timeline_.jumps();
  packet.monotonic_ns = monotonic_ns(TicksToNs(stamps->pts, timeline_.time_base()));
  if (stop.stop_requested()) return absl::OkStatus();
  packet.data = std::shared_ptr<const AVPacket>(data.release(), AvDeleter());
  ++frames_;
  report_.Frame();
  sink_.OnPacket(packet);
  return absl::OkStatus();
}

int64_t Camera::Impl::Meet(int64_t pts_ns, std::stop_token stop) {
  const int64_t now_ns = clock_.MonotonicNs();
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

Camera::Camera(CameraOptions options, Clock& clock, PacketSink& sink, LoginGuard* guard)
    : impl_(std::make_unique<Impl>(std::move(options), clock, sink, guard)) {}
Camera::~Camera() = default;
absl::Status Camera::Run(std::stop_token stop) { return impl_->Run(stop); }
CameraStatus Camera::status() const { return impl_->status(); }
void Camera::OnRead(std::function<void()> read) { impl_->OnRead(std::move(read)); }
const CameraOptions& Camera::options() const { return impl_->options(); }

}  // namespace gleaner::edge
