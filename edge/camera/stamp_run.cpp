#include "edge/camera/stamp_run.h"

#include <algorithm>
#include <vector>

#include "edge/camera/ffmpeg.h"

namespace gleaner::edge {
namespace {

constexpr size_t kSeen = 2 * PictureOrder::kMaxDepth;
// Where pictures' places aren't known: MPEG-4's B-frames are one or two.
constexpr size_t kUnorderedDepth = 2;
// By how many counts a picture is ahead of those that are decoded later and shown earlier: fields
// count by one, frames by two.
constexpr int64_t kMostCountsAhead = 2 * static_cast<int64_t>(PictureOrder::kMaxDepth);
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
  const auto on_device_ns = [&](int64_t ns) {
    return static_cast<int64_t>(clock.rate() * static_cast<double>(ns));
  };
  const int64_t step_ns = on_device_ns(TicksToNs(picture.pts - newest_.pts, time_base_));
  if (later > 0) {
    if (later > (ordered_ ? PictureOrder::kMaxDepth : kUnorderedDepth)) return false;
    // One that is shown before all others has no neighbour that it must come after.
    constexpr auto kDepth = static_cast<int64_t>(PictureOrder::kMaxDepth);
    return later < seen_.size() || -step_ns <= kDepth * on_device_ns(frame_ns_) + kJitterNs;
  }
  const int64_t passed_ns = picture.arrival_ns - seen_.back().arrival_ns;
  const int64_t slack_ns = kLostFrames * on_device_ns(frame_ns_) + kJitterNs;
  if (step_ns <= passed_ns + on_device_ns(AheadNs(picture.place)) + slack_ns) return true;
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
    std::vector<StampedPicture> pictures;
    for (const StampedPicture& seen : seen_) {
      if (seen.place.period == wanted) pictures.push_back(seen);
    }
    std::sort(pictures.begin(), pictures.end(),
              [](const auto& a, const auto& b) { return a.place < b.place; });
    // The middle one: where pictures are missing, time passes that isn't counted.
    std::vector<double> steps;
    for (size_t i = 1; i < pictures.size(); ++i) {
      const int64_t counts = pictures[i].place.count - pictures[i - 1].place.count;
      const int64_t ticks = pictures[i].pts - pictures[i - 1].pts;
      if (counts > 0) steps.push_back(static_cast<double>(ticks) / static_cast<double>(counts));
    }
    if (steps.empty()) return 0.0;
    const auto middle = steps.begin() + static_cast<ptrdiff_t>(steps.size() / 2);
    std::nth_element(steps.begin(), middle, steps.end());
    return *middle;
  };
  // At the start of a period the one before tells.
  for (const int64_t candidate : {period, period - 1, period + 1}) {
    if (const double ticks = of(candidate); ticks > 0) return ticks;
  }
  return 0;
}

int64_t StampRun::AheadNs(const PicturePlace& place) const {
  if (!ordered_ || place.period != newest_.place.period) return 0;
  const int64_t counts = place.count - newest_.place.count;
  if (counts > kMostCountsAhead) return 0;
  const double ticks = TicksPerCount(place.period);
  if (ticks == 0) return counts * frame_ns_;
  return TicksToNs(static_cast<int64_t>(ticks * static_cast<double>(counts)), time_base_);
}

std::pair<int64_t, int64_t> StampRun::Gapless(int64_t arrival_ns) const {
  std::vector<int64_t> arrivals = {arrival_ns};
  for (const StampedPicture& seen : seen_) arrivals.push_back(seen.arrival_ns);
  std::sort(arrivals.begin(), arrivals.end());
  int64_t from_ns = arrivals.front();
  for (size_t i = 1; i < arrivals.size(); ++i) {
    if (arrivals[i] - arrivals[i - 1] <= kLostFrames * frame_ns_ + kJitterNs) continue;
    if (arrivals[i] > arrival_ns) return {from_ns, arrivals[i - 1]};
    from_ns = arrivals[i];
  }
  return {from_ns, arrivals.back()};
}

int64_t StampRun::Guess(const StampedPicture& picture) const {
  const PicturePlace& place = picture.place;
  const auto [from_ns, to_ns] = Gapless(picture.arrival_ns);
  const StampedPicture* before = nullptr;
  const StampedPicture* after = nullptr;
  for (const StampedPicture& seen : seen_) {
    if (seen.arrival_ns < from_ns || seen.arrival_ns > to_ns) continue;
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
  } else if (after != nullptr) {
    pts = after->pts - frame;
  }
  const auto taken = [&] {
    return std::any_of(seen_.begin(), seen_.end(),
                       [&](const StampedPicture& seen) { return seen.pts == pts; });
  };
  while (taken()) ++pts;
  return pts;
}

}  // namespace gleaner::edge
