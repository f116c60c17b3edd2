#include "edge/camera/decode_times.h"

#include <algorithm>

#include "edge/camera/picture_order.h"

namespace gleaner::edge {

void DecodeTimes::Begin(size_t depth, int64_t first_pts, int64_t frame_ticks) {
  waiting_.clear();
  last_.reset();
  for (size_t i = std::min(depth, PictureOrder::kMaxDepth); i > 0; --i) {
    waiting_.push_back(first_pts - static_cast<int64_t>(i) * frame_ticks);
  }
}

std::optional<int64_t> DecodeTimes::Next(int64_t pts) {
  const int64_t next = last_.has_value() ? *last_ + 1 : INT64_MIN;
  if (pts < next) {
    if (waiting_.size() < PictureOrder::kMaxDepth) waiting_.insert(waiting_.begin(), pts);
    return std::nullopt;
  }
  waiting_.insert(std::upper_bound(waiting_.begin(), waiting_.end(), pts), pts);
  last_ = std::max(waiting_.front(), next);
  waiting_.erase(waiting_.begin());
  return last_;
}

}  // namespace gleaner::edge
