#include "edge/camera/timeline.h"

#include <algorithm>
#include <cmath>

#include "edge/camera/ffmpeg.h"

namespace gleaner::edge {

void Timeline::Begin(TimeBase time_base, double frames_per_s, int64_t gap_ns) {
  if (started_) {
    end_ = av_rescale_q(end_, ToRational(time_base_), ToRational(time_base));
    last_dts_ = av_rescale_q(last_dts_, ToRational(time_base_), ToRational(time_base));
  }
  time_base_ = time_base;
  gap_ = NsToTicks(gap_ns, time_base);
  frame_ticks_ = 1;
  if (frames_per_s > 0) {
    const double ticks = time_base.denominator / (frames_per_s * time_base.numerator);
    frame_ticks_ = std::max<int64_t>(1, std::llround(ticks));
  }
  anchored_ = false;
  source_dts_ = INT64_MIN;
  next_dts_ = 0;
}

std::optional<Timeline::Stamps> Timeline::Place(int64_t pts, int64_t dts, int64_t duration,
                                                int64_t quiet_ns) {
  const bool has_dts = dts != AV_NOPTS_VALUE;
  if (dts == AV_NOPTS_VALUE) dts = pts == AV_NOPTS_VALUE ? next_dts_ : std::min(pts, next_dts_);
  if (pts == AV_NOPTS_VALUE) pts = dts;
  if (duration <= 0) duration = frame_ticks_;

  const bool back = has_dts && dts <= source_dts_;
  const bool ahead = TicksToNs(dts - next_dts_, time_base_) > max_gap_ns_ + quiet_ns;
  if (anchored_ && (back || ahead)) {
    gap_ = 0;
    anchored_ = false;
  }
  if (!anchored_) {
    offset_ = started_ ? end_ + gap_ - pts : std::max<int64_t>(0, -pts);
    anchored_ = true;
  }
  source_dts_ = dts;
  next_dts_ = dts + duration;

  Stamps stamps{pts + offset_, dts + offset_, duration};
  if (started_) stamps.dts = std::max(stamps.dts, last_dts_ + 1);
  if (stamps.dts > stamps.pts) return std::nullopt;
  last_dts_ = stamps.dts;
  started_ = true;
  end_ = std::max(end_, stamps.pts + duration);
  return stamps;
}

void Timeline::EndAt(int64_t end) {
  const int64_t declared = end + offset_;
  if (TicksToNs(declared - end_, time_base_) <= kMaxGapNs) end_ = std::max(end_, declared);
}

int64_t ArrivalClock::Map(int64_t pts_ns, int64_t arrival_ns) {
  const int64_t offset_ns = arrival_ns - pts_ns;
  if (!started_) {
    started_ = true;
    offset_ns_ = std::max(arrival_ns, latest_ns_) - pts_ns;
    last_pts_ns_ = pts_ns;
  } else if (pts_ns > last_pts_ns_) {
    const int64_t passed_ns = pts_ns - last_pts_ns_;
    last_pts_ns_ = pts_ns;
    offset_ns_ = std::clamp(offset_ns, offset_ns_ - passed_ns / 2, offset_ns_ + passed_ns / 5000);
  }
  latest_ns_ = std::max(latest_ns_, pts_ns + offset_ns_);
  return pts_ns + offset_ns_;
}

}  // namespace gleaner::edge
