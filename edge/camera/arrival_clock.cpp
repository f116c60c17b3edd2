#include "edge/camera/arrival_clock.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/clock.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kBucketNs = kNanosPerSecond / 4;
constexpr size_t kMaxPoints = 480;
constexpr int64_t kRecentNs = 10 * kNanosPerSecond;
// Where nothing came for so long among them, the network stood still: what came just after tells
// how long it did, not what the camera's clock does.
constexpr int64_t kMaxGapNs = kRecentNs / 4;
// Two lines differ if their distance is more than this beside the points' spread.
constexpr double kRateToleranceNs = 2e6;
constexpr double kShiftToleranceNs = 50e6;
constexpr double kMaxRate = 16;
// The rate is known to well within a hundredth after this long; before, a network that is slow to
// drain looks like a slow clock.
constexpr double kSureSpanNs = 30e9;
constexpr double kSureError = 0.003;
constexpr double kFoundSpanNs = 3e9;
constexpr double kFoundError = 0.01;
// Frames shown out of order come at most this many after one that is shown later.
constexpr size_t kMaxMapped = 20;
constexpr double kLeastPace = 1.0 / 16;
constexpr double kGreatestPace = 1.5;

}  // namespace

void ArrivalClock::Restart(bool same_rate) {
  if (found_) usual_rate_ = line_.rate;
  if (!same_rate) usual_rate_ = 1;
  sure_ = false;
  found_ = false;
  started_ = false;
  points_.clear();
  mapped_.clear();
}

int64_t ArrivalClock::Observe(int64_t pts_ns, int64_t arrival_ns) {
  const Point point{pts_ns, arrival_ns};
  if (!started_) {
    started_ = true;
    line_ = {point, usual_rate_};
    prompt_ = point;
    bucket_ns_ = arrival_ns;
    return 0;
  }
  int64_t shift_ns = 0;
  if (arrival_ns - bucket_ns_ >= kBucketNs) {
    if (points_.empty() || prompt_.pts_ns > points_.back().pts_ns) points_.push_back(prompt_);
    if (points_.size() > kMaxPoints) points_.pop_front();
    prompt_ = point;
    bucket_ns_ = arrival_ns;
    shift_ns = Refit();
  }
  const auto late_ns = [this](const Point& p) { return p.at_ns - line_.At(p.pts_ns); };
  if (late_ns(point) <= late_ns(prompt_)) prompt_ = point;
  if (late_ns(point) < 0) line_.through = point;
  return shift_ns;
}

ArrivalClock::Fit ArrivalClock::FitFrom(size_t first) const {
  std::vector<Point> points(points_.begin() + static_cast<ptrdiff_t>(first), points_.end());
  if (points.empty() || prompt_.pts_ns > points.back().pts_ns) points.push_back(prompt_);
  // Relative to the first, so that a double holds every nanosecond.
  const Point origin = points.front();
  const auto x = [&](const Point& p) { return static_cast<double>(p.pts_ns - origin.pts_ns); };
  const auto y = [&](const Point& p) { return static_cast<double>(p.at_ns - origin.at_ns); };

  std::vector<Point> hull;
  double mean_x = 0;
  for (const Point& p : points) {
    mean_x += x(p) / static_cast<double>(points.size());
    const auto above = [&](const Point& a, const Point& b) {  // b is on or above a line from a to p
      return (y(b) - y(a)) * (x(p) - x(a)) >= (y(p) - y(a)) * (x(b) - x(a));
    };
    while (hull.size() > 1 && above(hull[hull.size() - 2], hull.back())) hull.pop_back();
    hull.push_back(p);
  }
  Fit fit;
  fit.span_ns = x(points.back());
  fit.line = {origin, usual_rate_};
  const auto slack = [&](const Line& line) {
    double sum = 0;
    for (const Point& p : points) sum += static_cast<double>(p.at_ns - line.At(p.pts_ns));
    return sum / static_cast<double>(points.size());
  };
  if (hull.size() > 1) {
    size_t edge = 0;
    while (edge + 2 < hull.size() && x(hull[edge + 1]) < mean_x) ++edge;
    const double rate = (y(hull[edge + 1]) - y(hull[edge])) / (x(hull[edge + 1]) - x(hull[edge]));
    const Line line{hull[edge], std::clamp(rate, 1 / kMaxRate, kMaxRate)};
    fit.slack_ns = slack(line);
    fit.measured = points.size() > 2 && std::abs(line.rate - usual_rate_) * fit.span_ns >
                                            2 * fit.slack_ns + kRateToleranceNs;
    if (fit.measured) fit.line = line;
  }
  // Below all points, also where the rate was given.
  for (const Point& p : points) {
    if (p.at_ns < fit.line.At(p.pts_ns)) fit.line.through = p;
  }
  fit.slack_ns = slack(fit.line);
  return fit;
}

int64_t ArrivalClock::Refit() {
  Fit fit = FitFrom(0);
  int64_t shift_ns = 0;
  const int64_t recent_ns = points_.back().at_ns - kRecentNs;
  size_t first = 0;
  while (points_[first].at_ns < recent_ns) ++first;
  const auto recently = points_.begin() + static_cast<ptrdiff_t>(first);
  const bool stood_still =
      std::adjacent_find(recently, points_.end(), [](const Point& a, const Point& b) {
        return b.at_ns - a.at_ns > kMaxGapNs;
      }) != points_.end();
  if (first > 0 && points_.size() - first > 2 && !stood_still) {
    const Fit recent = FitFrom(first);
    const int64_t pts_ns = points_.back().pts_ns;
    const int64_t apart_ns = recent.line.At(pts_ns) - fit.line.At(pts_ns);
    if (static_cast<double>(apart_ns) > 3 * recent.slack_ns + kShiftToleranceNs) {
      points_.erase(points_.begin(), recently);
      shift_ns = apart_ns;
      fit = recent;
    }
  }
  line_ = fit.line;
  const double span_ns = fit.span_ns * line_.rate;
  sure_ = span_ns >= kSureSpanNs && fit.slack_ns < kSureError * span_ns;
  found_ = span_ns >= kFoundSpanNs && fit.slack_ns < kFoundError * span_ns;
  return shift_ns;
}

int64_t ArrivalClock::Map(int64_t pts_ns) {
  const int64_t predicted_ns = Predict(pts_ns);
  if (mapped_.empty()) {
    const int64_t at_ns =
        latest_ns_.has_value() ? std::max(predicted_ns, *latest_ns_ + 1) : predicted_ns;
    mapped_.push_back({pts_ns, at_ns});
    latest_ns_ = at_ns;
    return at_ns;
  }
  if (pts_ns > mapped_.back().pts_ns) {
    const Point& before = mapped_.back();
    const double passed_ns = line_.rate * static_cast<double>(pts_ns - before.pts_ns);
    const auto after = [&](double pace) {
      return before.at_ns + std::max<int64_t>(1, static_cast<int64_t>(pace * passed_ns));
    };
    const int64_t at_ns = std::clamp(predicted_ns, after(kLeastPace), after(kGreatestPace));
    mapped_.push_back({pts_ns, at_ns});
    if (mapped_.size() > kMaxMapped) mapped_.pop_front();
    latest_ns_ = at_ns;
    return at_ns;
  }
  // Between two that were mapped, or before all of them.
  const auto next = std::lower_bound(mapped_.begin(), mapped_.end(), pts_ns,
                                     [](const Point& p, int64_t pts) { return p.pts_ns < pts; });
  if (next == mapped_.begin() || next->pts_ns == pts_ns) {
    return Line{*next, line_.rate}.At(pts_ns);
  }
  const Point& before = *(next - 1);
  const double share = static_cast<double>(pts_ns - before.pts_ns) /
                       static_cast<double>(next->pts_ns - before.pts_ns);
  return before.at_ns +
         static_cast<int64_t>(share * static_cast<double>(next->at_ns - before.at_ns));
}

}  // namespace gleaner::edge
