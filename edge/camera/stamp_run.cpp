#include "edge/camera/stamp_run.h"

#include <algorithm>
#include <vector>

#include "edge/camera/ffmpeg.h"
#include "edge/camera/median.h"

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

// Ticks from one count to the next: by pictures of the period, else by those of others; 0 where
// none of `some` tells it.
double TicksPerCount(const std::deque<StampedPicture>& some, int64_t period) {
  std::vector<StampedPicture> pictures(some.begin(), some.end());
  std::sort(pictures.begin(), pictures.end(),
            [](const auto& a, const auto& b) { return a.place < b.place; });
  std::vector<double> own, all;
  for (size_t i = 1; i < pictures.size(); ++i) {
    const PicturePlace& place = pictures[i].place;
    const int64_t counts = place.count - pictures[i - 1].place.count;
    const int64_t ticks = pictures[i].pts - pictures[i - 1].pts;
    if (place.period != pictures[i - 1].place.period || counts <= 0) continue;
    all.push_back(static_cast<double>(ticks) / static_cast<double>(counts));
    if (place.period == period) own.push_back(all.back());
  }
  // The middle one: where pictures are missing, time passes that isn't counted.
  if (all.empty()) return 0;
  return std::max(0.0, Median(own.empty() ? all : own));
}

}  // namespace

bool StampRun::Fits(const StampedPicture& picture, const ArrivalClock& clock, bool knows,
                    size_t between) const {
  if (picture.pts == AV_NOPTS_VALUE) return false;
  if (seen_.empty()) return true;
  size_t later = 0;
  for (const StampedPicture& seen : seen_) {
    if (std::abs(seen.pts - picture.pts) <= static_cast<int64_t>(between)) return false;
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
  if (ordered_ && picture.place < newest_.place && !BeginsAnew(picture)) return false;
  const int64_t passed_ns = picture.arrival_ns - seen_.back().arrival_ns;
  const int64_t slack_ns = kLostFrames * on_device_ns(frame_ns_) + kJitterNs;
  if (step_ns <= passed_ns + on_device_ns(AheadNs(picture.place)) + slack_ns) return true;
  if (!knows) return false;
  const int64_t lead_ns = clock.Predict(TicksToNs(picture.pts, time_base_)) - picture.arrival_ns;
  return lead_ns <= kMaxLeadNs;
}

bool StampRun::BeginsAnew(const StampedPicture& picture) const {
  if (!ordered_ || taken_ == 0 || newest_.place <= picture.place) return false;
  std::vector<int64_t> times;
  for (const StampedPicture& seen : seen_) times.push_back(seen.pts);
  std::sort(times.begin(), times.end());
  std::vector<int64_t> steps = {NsToTicks(frame_ns_, time_base_)};
  for (size_t i = 1; i < times.size(); ++i) steps.push_back(times[i] - times[i - 1]);
  // The lost keyframe itself took a frame's time; a stamp that shakes is less far off.
  const int64_t frame = Median(steps);
  return picture.pts - newest_.pts > frame + frame / 2;
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

int64_t StampRun::AheadNs(const PicturePlace& place) const {
  if (!ordered_ || place.period != newest_.place.period) return 0;
  const int64_t counts = place.count - newest_.place.count;
  if (counts < 0 || counts > kMostCountsAhead) return 0;
  const double ticks = TicksPerCount(seen_, place.period);
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
  std::deque<StampedPicture> near;
  for (const StampedPicture& seen : seen_) {
    if (seen.arrival_ns >= from_ns && seen.arrival_ns <= to_ns) near.push_back(seen);
  }
  const StampedPicture* before = nullptr;
  const StampedPicture* after = nullptr;
  for (const StampedPicture& seen : near) {
    if (seen.place < place && (before == nullptr || before->place < seen.place)) before = &seen;
    if (place < seen.place && (after == nullptr || seen.place < after->place)) after = &seen;
  }
  const auto counted = [&](const StampedPicture* seen) {
    return seen != nullptr && seen->place.period == place.period;
  };
  const auto ticks = [&](int64_t counts) {
    double each = TicksPerCount(near, place.period);
    if (each == 0) each = TicksPerCount(seen_, place.period);
    return std::max<int64_t>(1, static_cast<int64_t>(each * static_cast<double>(counts)));
  };
  const int64_t frame = std::max<int64_t>(1, NsToTicks(frame_ns_, time_base_));
  int64_t pts = (before != nullptr ? before : &newest_)->pts + frame;
  if (counted(before) && counted(after)) {
    pts = before->pts + av_rescale(after->pts - before->pts, place.count - before->place.count,
                                   after->place.count - before->place.count);
  } else if (counted(before)) {
    pts = before->pts + ticks(place.count - before->place.count);
  } else if (counted(after)) {
    pts = after->pts - ticks(after->place.count - place.count);
  } else if (after != nullptr) {
    pts = after->pts - frame;
  }
  // Where counts mislead, or stamps shake, the middle is as good as anything.
  if (before != nullptr && after != nullptr && (pts <= before->pts || pts >= after->pts)) {
    pts = before->pts + (after->pts - before->pts) / 2;
  }
  const auto taken = [&] {
    return std::any_of(seen_.begin(), seen_.end(),
                       [&](const StampedPicture& seen) { return seen.pts == pts; });
  };
  while (taken()) ++pts;
  return pts;
}

}  // namespace gleaner::edge
