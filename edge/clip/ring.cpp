#include "edge/clip/ring.h"

#include <algorithm>
#include <utility>

namespace gleaner::edge {
namespace {

// What a camera sent this long before isn't what its next frame follows, slow as it may be.
constexpr int64_t kOutageNs = 10'000'000'000;

}  // namespace

void PacketRing::Push(StreamPacket packet) {
  if (packet.packet.keyframe && !packets_.empty() &&
      packet.packet.monotonic_ns - newest_ns_ > std::max(span_ns_, kOutageNs)) {
    Clear();
  }
  if (packet.packet.keyframe) {
    keyframes_.push_back(front_ + packets_.size());
  } else if (packets_.empty()) {
    return;
  }
  newest_ns_ = std::max(newest_ns_, packet.packet.monotonic_ns);
  bytes_ += packet.packet.size_bytes;
  packets_.push_back(std::move(packet));

  while (keyframes_.size() > 1) {
    const StreamPacket& second = packets_[keyframes_[1] - front_];
    const bool covered = second.packet.monotonic_ns <= newest_ns_ - span_ns_;
    if (!covered && bytes_ <= max_bytes_) break;
    DropFirstGroup();
  }
  if (bytes_ > max_bytes_) Clear();
}

void PacketRing::DropFirstGroup() {
  for (uint64_t count = keyframes_[1] - keyframes_[0]; count > 0; --count) {
    bytes_ -= packets_.front().packet.size_bytes;
    packets_.pop_front();
    ++front_;
  }
  keyframes_.pop_front();
}

void PacketRing::Clear() {
  front_ += packets_.size();
  packets_.clear();
  keyframes_.clear();
  bytes_ = 0;
  newest_ns_ = INT64_MIN;
}

std::vector<StreamPacket> PacketRing::From(int64_t monotonic_ns) const {
  if (packets_.empty() || newest_ns_ + kOutageNs < monotonic_ns) return {};
  uint64_t start = keyframes_.front();
  for (uint64_t keyframe : keyframes_) {
    if (packets_[keyframe - front_].packet.monotonic_ns > monotonic_ns) break;
    start = keyframe;
  }
  return {packets_.begin() + static_cast<ptrdiff_t>(start - front_), packets_.end()};
}

}  // namespace gleaner::edge
