#include "edge/camera/presentation_sorter.h"

namespace gleaner::edge {

void PresentationSorter::Push(AvPtr<AVPacket> packet, int64_t time, const PicturePlace& place) {
  times_.push_back(time);
  waiting_.emplace(place, front_ + queue_.size());
  queue_.push_back({std::move(packet)});
  Assign(depth_);
}

void PresentationSorter::Assign(size_t keep) {
  while (waiting_.size() > keep) {
    Item& item = queue_[waiting_.top().second - front_];
    waiting_.pop();
    item.packet->pts = times_.front();
    item.packet->dts = AV_NOPTS_VALUE;
    item.placed = true;
    times_.pop_front();
  }
}

AvPtr<AVPacket> PresentationSorter::Pop() {
  if (queue_.empty() || !queue_.front().placed) return nullptr;
  AvPtr<AVPacket> packet = std::move(queue_.front().packet);
  queue_.pop_front();
  ++front_;
  return packet;
}

}  // namespace gleaner::edge
