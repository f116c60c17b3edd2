#include "cloud/media/frame_choice.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cloud/media/frame_times.h"
#include "common/clock.h"

namespace gleaner::cloud::media {
namespace {

// A moment so far outside a camera's video is not on it.
constexpr int64_t kOutsideNs = kNanosPerSecond / 2;
// Of a signal's own range: what is lower is no peak worth a look.
constexpr double kLeastPeak = 0.5;
// Peaks of one signal come in clusters: between two that are taken lies this part of the clip.
constexpr int64_t kPeaksApart = 16;

struct Peak {
  double height;  // 0 to 1, in its signal's range
  int64_t at_ns;  // device's monotonic time
};

class Planner {
 public:
  Planner(const v1::VideoTrack& track, int64_t gap_ns)
      : track_(track), times_(FrameTimes(track)), gap_ticks_(TicksOf(track, gap_ns)) {}

  uint64_t gap_ticks() const { return static_cast<uint64_t>(gap_ticks_); }
  const std::vector<int64_t>& times() const { return times_; }

  // The frame nearest to a moment.
  std::optional<int64_t> FrameAt(int64_t monotonic_ns) const {
    const int64_t begin = track_.first_frame_monotonic_ns();
    const int64_t length = times_.back() - times_.front();
    const int64_t span = SpanNs(track_, times_.front(), times_.back());
    if (monotonic_ns < begin - kOutsideNs || monotonic_ns > begin + span + kOutsideNs) {
      return std::nullopt;
    }
    const auto along = span == 0 ? __int128{0} : __int128{monotonic_ns - begin} * length / span;
    return Nearest(times_.front() + static_cast<int64_t>(along));
  }

  int64_t Nearest(int64_t pts) const {
    const auto after = std::lower_bound(times_.begin(), times_.end(), pts);
    if (after == times_.begin()) return *after;
    if (after == times_.end()) return times_.back();
    return *after - pts < pts - *std::prev(after) ? *after : *std::prev(after);
  }

  // False where one that is as good is there already: then that one has the reason as well.
  bool Add(int64_t pts, v1::Frame::Reason reason) {
    for (PlannedFrame& frame : frames_) {
      if (frame.pts != pts && std::abs(frame.pts - pts) >= gap_ticks_) continue;
      frame.reasons |= ReasonBit(reason);
      return false;
    }
    frames_.push_back({pts, ReasonBit(reason)});
    return true;
  }

  std::vector<PlannedFrame> Finish() {
    std::sort(frames_.begin(), frames_.end(),
              [](const PlannedFrame& a, const PlannedFrame& b) { return a.pts < b.pts; });
    return std::move(frames_);
  }

 private:
  const v1::VideoTrack& track_;
  const std::vector<int64_t> times_;
  const int64_t gap_ticks_;
  std::vector<PlannedFrame> frames_;
};

// "camera.front.motion" speaks of the camera front alone, "weight" of all that is seen.
bool SpeaksOf(std::string_view signal, std::string_view camera) {
  constexpr std::string_view kCamera = "camera.";
  if (!signal.starts_with(kCamera)) return true;
  signal.remove_prefix(kCamera.size());
  return signal.starts_with(camera) && signal.substr(camera.size()).starts_with(".");
}

// A step function's values that are higher than those before and behind them.
void FindPeaks(const v1::SignalTrace& signal, int64_t start_ns, std::vector<Peak>* peaks) {
  const int count = std::min(signal.value_size(), signal.offset_us_size());
  double least = 0, most = 0;
  for (int i = 0; i < count; ++i) {
    const double value = signal.value(i);
    if (!std::isfinite(value)) return;
    least = i == 0 ? value : std::min(least, value);
    most = i == 0 ? value : std::max(most, value);
  }
  const double range = most - least;
  if (!std::isfinite(range) || range <= 0) return;
  for (int i = 0; i < count;) {
    int end = i + 1;
    while (end < count && signal.value(end) == signal.value(i)) ++end;
    const bool rose = i == 0 || signal.value(i - 1) < signal.value(i);
    const bool falls = end == count || signal.value(end) < signal.value(i);
    const double height = (signal.value(i) - least) / range;
    if (rose && falls && height >= kLeastPeak) {
      peaks->push_back({height, start_ns + signal.offset_us(i) * 1000});
    }
    i = end;
  }
}

void AddFirings(const v1::ClipManifest& manifest, uint32_t wanted, Planner& planner) {
  std::vector<int64_t> firings(manifest.trigger().firing_monotonic_ns().begin(),
                               manifest.trigger().firing_monotonic_ns().end());
  if (firings.empty()) firings.push_back(manifest.fired_at().monotonic_ns());
  const auto count = std::min<size_t>(wanted, firings.size());
  for (size_t i = 0; i < count; ++i) {
    // Of more than are wanted the first, the last, and some between.
    const size_t at = count == 1 ? 0 : i * (firings.size() - 1) / (count - 1);
    if (const auto pts = planner.FrameAt(firings[at])) planner.Add(*pts, v1::Frame::REASON_FIRING);
  }
}

void AddPeaks(const v1::ClipManifest& manifest, std::string_view camera, uint32_t wanted,
              Planner& planner) {
  if (wanted == 0) return;
  const int64_t start_ns = manifest.delivered().start_monotonic_ns();
  std::vector<Peak> peaks;
  for (const v1::SignalTrace& signal : manifest.trigger().signals()) {
    if (SpeaksOf(signal.name(), camera)) FindPeaks(signal, start_ns, &peaks);
  }
  std::stable_sort(peaks.begin(), peaks.end(), [](const Peak& a, const Peak& b) {
    return a.height != b.height ? a.height > b.height : a.at_ns < b.at_ns;
  });
  const int64_t apart = (manifest.delivered().end_monotonic_ns() - start_ns) / kPeaksApart;
  std::vector<int64_t> taken;
  for (const Peak& peak : peaks) {
    if (taken.size() >= wanted) break;
    const bool near = std::any_of(taken.begin(), taken.end(), [&](int64_t other) {
      return std::abs(other - peak.at_ns) < apart;
    });
    const auto pts = near ? std::nullopt : planner.FrameAt(peak.at_ns);
    if (!pts) continue;
    taken.push_back(peak.at_ns);
    planner.Add(*pts, v1::Frame::REASON_PEAK);
  }
}

void AddEvenly(uint32_t wanted, Planner& planner) {
  const int64_t first = planner.times().front();
  const auto length = __int128{planner.times().back() - first};
  for (uint32_t i = 0; i < wanted; ++i) {
    const auto middle = static_cast<int64_t>(length * (2 * i + 1) / (2 * wanted));
    planner.Add(planner.Nearest(first + middle), v1::Frame::REASON_EVENLY);
  }
}

}  // namespace

FramePlan PlanFrames(const v1::ClipManifest& manifest, size_t video, const FrameChoice& choice) {
  const v1::VideoTrack& track = manifest.video(static_cast<int>(video));
  FramePlan plan;
  if (track.frame_count() == 0) return plan;
  Planner planner(track, choice.gap_ns);
  AddFirings(manifest, choice.firings, planner);
  AddPeaks(manifest, track.camera(), choice.peaks, planner);
  AddEvenly(choice.evenly, planner);
  plan.frames = planner.Finish();
  plan.keyframes = choice.keyframes;
  plan.gap_ticks = planner.gap_ticks();
  return plan;
}

}  // namespace gleaner::cloud::media
