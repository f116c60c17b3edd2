#include "edge/camera/camera_report.h"

#include <cmath>
#include <utility>

#include "common/log.h"
#include "common/status.h"
#include "common/text.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kRateWindowNs = 2 * kNanosPerSecond;
// An operator hears of a camera's clock that is further off.
constexpr double kTellRate = 0.01;

}  // namespace

CameraReport::CameraReport(std::string name, std::string_view source, Clock& clock)
    : name_(std::move(name)), clock_(clock) {
  status_.source = source;
}

CameraStatus CameraReport::status() const {
  std::lock_guard lock(mutex_);
  CameraStatus status = status_;
  if (status.problem.empty()) status.problem = notes_.Sentence(clock_.MonotonicNs());
  return status;
}

void CameraReport::State(CameraState state, std::string problem) {
  std::lock_guard lock(mutex_);
  status_.state = state;
  status_.problem = std::move(problem);
  if (state != CameraState::kStreaming) status_.frames_per_s = 0;
}

void CameraReport::Format(const VideoFormat& format) {
  std::lock_guard lock(mutex_);
  status_.format = format;
}

void CameraReport::Opened() {
  std::lock_guard lock(mutex_);
  status_.stamps = {};
}

void CameraReport::Frame() {
  const int64_t now_ns = clock_.MonotonicNs();
  if (rate_since_ns_ == 0) rate_since_ns_ = now_ns;
  ++rate_frames_;
  std::lock_guard lock(mutex_);
  ++status_.frames;
  status_.last_packet_monotonic_ns = now_ns;
  if (const int64_t passed_ns = now_ns - rate_since_ns_; passed_ns >= kRateWindowNs) {
    status_.frames_per_s = static_cast<double>(rate_frames_) * kNanosPerSecond / passed_ns;
    rate_since_ns_ = now_ns;
    rate_frames_ = 0;
  }
}

void CameraReport::LeftOut(const absl::Status& why) {
  std::lock_guard lock(mutex_);
  ++status_.dropped;
  Note(CameraNotes::Kind::kLeftOut, fmt::format("{} left out, the last because it {}",
                                                Count(status_.dropped, "frame"), Message(why)));
}

void CameraReport::Damaged(uint64_t packets) {
  std::lock_guard lock(mutex_);
  if (packets == status_.damaged) return;
  status_.damaged = packets;
  Note(CameraNotes::Kind::kDamage, Count(packets, "packet") + " damaged on the way and left out");
}

void CameraReport::Stamps(const LiveStamps::Counts& counts, double clock_rate) {
  // What goes on is said again once in a while, not for each packet.
  const int64_t now_ns = clock_.MonotonicNs();
  const bool due = now_ns - stamps_told_ns_ >= kNanosPerSecond;
  if (due) stamps_told_ns_ = now_ns;
  std::lock_guard lock(mutex_);
  const LiveStamps::Counts before = std::exchange(status_.stamps, counts);
  status_.clock_rate = clock_rate;
  if (due && clock_rate > 0 && std::abs(clock_rate - 1) > kTellRate) {
    Note(CameraNotes::Kind::kClockRate,
         fmt::format("the camera's clock counts {:.3g} s in a second; its frames are timed by "
                     "their arrival",
                     clock_rate));
  }
  if (counts.by_arrival && (due || !before.by_arrival)) {
    Note(CameraNotes::Kind::kByArrival,
         "the camera's timestamps are of no use; its frames are timed by their arrival");
  }
  if (counts.jumps > before.jumps) {
    Note(CameraNotes::Kind::kJump,
         fmt::format("the camera's clock jumped ({})", Count(counts.jumps, "time")));
  }
  if (counts.glitches > before.glitches) {
    Note(CameraNotes::Kind::kGlitches,
         fmt::format("the timestamps of single frames are wrong ({} mended)",
                     Count(counts.glitches, "frame")));
  }
}

void CameraReport::Note(CameraNotes::Kind kind, std::string text) {
  if (notes_.Say(kind, text, clock_.MonotonicNs())) LOG_WARN("camera {}: {}", name_, text);
}

}  // namespace gleaner::edge
