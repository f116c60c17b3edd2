#include "edge/camera/stamp_run.h"

#include <algorithm>

#include "edge/camera/ffmpeg.h"

namespace gleaner::edge {
namespace {

constexpr size_t kSeen = 2 * PictureOrder::kMaxDepth;
// Where pictures' places aren't known: MPEG-4's B-frames are one or two.
constexpr size_t kUnorderedDepth = 2;
// Packets may come that much closer together than they were sent, and a few frames may be lost.
constexpr int64_t kJitterNs = 100 * kNanosPerMilli;
constexpr int64_t kLostFrames = 3;
// How far a frame's moment may seem to lie in the future: the clock's error.
constexpr int64_t kMaxLeadNs = 150 * kNanosPerMilli;

}  // namespace

bool StampRun::Fits(const StampedPicture& picture, const ArrivalClock& clock, bool knows) const {
  if (picture.pts == AV_NOPTS_VALUE) return false;
  if (seen_.empty()) return true;
  size_t later = 0;
  for (const StampedPicture& seen : seen_) {
    if (seen.pts == picture.pts) return false;
    if (seen.pts < picture.pts) continue;
    ++later;
    if (ordered_ && seen.place <= picture.place) return false;
  }
  if (later > 0) return later <= (ordered_ ? PictureOrder::kMaxDepth : kUnorderedDepth);

  const auto on_device_ns = [&](int64_t ns) {
    return static_cast<int64_t>(clock.rate() * static_cast<double>(ns));
  };
  const int64_t step_ns = on_device_ns(TicksToNs(picture.pts - newest_.pts, time_base_));
  const int64_t passed_ns = picture.arrival_ns - seen_.back().arrival_ns;
  if (step_ns <= passed_ns + kLostFrames * on_device_ns(frame_ns_) + kJitterNs) return true;
  if (!knows) return false;
  const int64_t lead_ns = clock.Predict(TicksToNs(picture.pts, time_base_)) - picture.arrival_ns;
  return lead_ns <= kMaxLeadNs;
}

void StampRun::Take(const StampedPicture& picture) {
  if (taken_++ == 0) {
    began_ns_ = picture.arrival_ns;
    newest_ = picture;
  }
  if (picture.pts > newest_.pts) newest_ = picture;
  seen_.push_back(picture);
  if (seen_.size() > kSeen) seen_.pop_front();
}

double StampRun::TicksPerCount(int64_t period) const {
  const auto of = [this](int64_t wanted) {
    const StampedPicture* first = nullptr;
    const StampedPicture* last = nullptr;
    for (const StampedPicture& seen : seen_) {
      if (seen.place.period != wanted) continue;
      if (first == nullptr || seen.place < first->place) first = &seen;
      if (last == nullptr || last->place < seen.place) last = &seen;
    }
    if (first == nullptr || first->place == last->place) return 0.0;
    return static_cast<double>(last->pts - first->pts) /
           static_cast<double>(last->place.count - first->place.count);
  };
  // At the start of a period the one before tells.
  for (const int64_t candidate : {period, period - 1, period + 1}) {
    if (const double ticks = of(candidate); ticks > 0) return ticks;
  }
  return 0;
}

int64_t StampRun::Guess(const PicturePlace& place) const {
  const StampedPicture* before = nullptr;
  const StampedPicture* after = nullptr;
  for (const StampedPicture& seen : seen_) {
    if (seen.place < place && (before == nullptr || before->place < seen.place)) before = &seen;
    if (place < seen.place && (after == nullptr || seen.place < after->place)) after = &seen;
  }
  const auto near = [&](const StampedPicture* seen) {
    return seen != nullptr && seen->place.period == place.period;
  };
  const int64_t frame = std::max<int64_t>(1, NsToTicks(frame_ns_, time_base_));
  int64_t pts = newest_.pts + frame;
  if (near(before) && near(after)) {
    pts = before->pts + av_rescale(after->pts - before->pts, place.count - before->place.count,
                                   after->place.count - before->place.count);
  } else if (near(before)) {
    const double ticks =
        TicksPerCount(place.period) * static_cast<double>(place.count - before->place.count);
    pts = before->pts + std::max<int64_t>(1, static_cast<int64_t>(ticks));
  } else if (near(after)) {
    const double ticks =
        TicksPerCount(place.period) * static_cast<double>(after->place.count - place.count);
    pts = after->pts - std::max<int64_t>(1, static_cast<int64_t>(ticks));
  }
  const auto taken = [&] {
    return std::any_of(seen_.begin(), seen_.end(),
                       [&](const StampedPicture& seen) { return seen.pts == pts; });
  };
  while (taken()) ++pts;
  return pts;
}

}  // namespace gleaner::edge
