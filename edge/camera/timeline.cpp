#include "edge/camera/timeline.h"

#include <algorithm>
#include <cmath>

#include "common/status.h"
#include "edge/camera/ffmpeg.h"
#include "edge/camera/picture_order.h"

namespace gleaner::edge {
namespace {

// What a file's header says of its end is believed if it is no further from the last frame.
constexpr int64_t kMaxTailNs = 10 * kNanosPerSecond;
// A frame isn't decoded longer before it is shown, and as many frames.
constexpr int64_t kMaxAheadNs = 60 * kNanosPerSecond;
constexpr size_t kRecent = 2 * PictureOrder::kMaxDepth;

}  // namespace

void Timeline::Begin(TimeBase time_base, double frames_per_s, size_t depth, int64_t after_ns) {
  if (started_) {
    const auto rescale = [&](int64_t ticks) {
      return av_rescale_q(ticks, ToRational(time_base_), ToRational(time_base));
    };
    newest_ = rescale(newest_);
    end_ = rescale(end_);
    last_dts_ = rescale(last_dts_);
  }
  time_base_ = time_base;
  depth_ = depth;
  frame_ticks_ = 1;
  if (frames_per_s > 0) {
    const double ticks = time_base.denominator / (frames_per_s * time_base.numerator);
    frame_ticks_ = std::max<int64_t>(1, std::llround(ticks));
  }
  after_ = NsToTicks(after_ns, time_base);
  lead_ = 0;
  anchored_ = false;
  next_dts_ = 0;
}

void Timeline::Jump(int64_t after_ns) {
  after_ = NsToTicks(after_ns, time_base_);
  // The first one may be shown after some that follow it.
  lead_ = depth_ > 0 ? static_cast<int64_t>(PictureOrder::kMaxDepth) * frame_ticks_ : 0;
  anchored_ = false;
  ++jumps_;
}

bool Timeline::WentBack(int64_t pts, int64_t dts) const {
  if (believes_dts_) return dts != AV_NOPTS_VALUE && dts <= source_dts_;
  const size_t later = std::count_if(recent_.begin(), recent_.end(),
                                     [&](int64_t before) { return before > pts + offset_; });
  return later > PictureOrder::kMaxDepth;
}

absl::StatusOr<Timeline::Stamps> Timeline::Place(int64_t pts, int64_t dts, int64_t duration) {
  const bool has_dts = dts != AV_NOPTS_VALUE;
  const bool has_pts = pts != AV_NOPTS_VALUE;
  if (!has_pts) pts = has_dts ? dts : next_dts_;
  if (duration <= 0) duration = frame_ticks_;

  if (anchored_ && (WentBack(pts, dts) || left_out_ > PictureOrder::kMaxDepth)) Jump(0);
  if (!anchored_) {
    anchored_ = true;
    recent_.clear();
    believes_dts_ = has_dts;
    floor_ = started_ ? std::max(end_, newest_ + after_) : 0;
    offset_ = started_ ? floor_ + lead_ - pts : std::max<int64_t>(0, -pts);
    decode_times_.Begin(depth_, pts + offset_ - lead_, frame_ticks_);
  }
  source_dts_ = has_dts ? dts : source_dts_;
  next_dts_ = (has_dts ? dts : pts) + duration;

  ++left_out_;
  Stamps stamps{pts + offset_, 0, duration};
  if (stamps.pts < floor_) {
    return absl::OutOfRangeError("is shown before the keyframe that it follows");
  }
  if (std::find(recent_.begin(), recent_.end(), stamps.pts) != recent_.end()) {
    return absl::OutOfRangeError("is shown at the same time as another");
  }
  ASSIGN_OR_RETURN(stamps.dts, DecodeTime(stamps.pts, has_dts ? dts + offset_ : AV_NOPTS_VALUE));
  left_out_ = 0;
  last_dts_ = stamps.dts;
  started_ = true;
  newest_ = std::max(newest_, stamps.pts);
  end_ = std::max(end_, stamps.pts + duration);
  recent_.push_back(stamps.pts);
  if (recent_.size() > kRecent) recent_.pop_front();
  return stamps;
}

absl::StatusOr<int64_t> Timeline::DecodeTime(int64_t pts, int64_t dts) {
  std::optional<int64_t> time = believes_dts_ && dts != AV_NOPTS_VALUE ? dts : pts;
  if (!believes_dts_) time = decode_times_.Next(pts);
  if (time.has_value()) time = std::max(*time, last_dts_ + 1);
  if (!time.has_value() || *time > pts) {
    return absl::OutOfRangeError("is shown before it can be decoded");
  }
  const auto depth = static_cast<int64_t>(PictureOrder::kMaxDepth);
  if (TicksToNs(pts - *time - depth * frame_ticks_, time_base_) > kMaxAheadNs) {
    return absl::OutOfRangeError("is shown long after it was decoded");
  }
  return *time;
}

void Timeline::EndAt(int64_t end) {
  const int64_t declared = end + offset_;
  if (TicksToNs(declared - end_, time_base_) <= kMaxTailNs) end_ = std::max(end_, declared);
}

}  // namespace gleaner::edge
