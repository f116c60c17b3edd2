#include "edge/clip/ring.h"

#include <algorithm>
#include <utility>

#include "edge/camera/random_access.h"

namespace gleaner::edge {
namespace {

// What a camera sent this long before isn't what its next frame follows, slow as it may be.
constexpr int64_t kOutageNs = 10'000'000'000;

}  // namespace

void PacketRing::Push(StreamPacket stream_packet) {
  const Packet& packet = stream_packet.packet;
  // No clip may hold frames of before and after a jump of the camera's clock.
  if (!packets_.empty() && packets_.back().packet.run != packet.run) Clear();
  if (packet.keyframe && !packets_.empty() &&
      packet.monotonic_ns - newest_ns_ > std::max(span_ns_, kOutageNs)) {
    Clear();
  }
  // From the last ones on pictures become whole one reference frame after the other.
  for (auto keyframe = keyframes_.rbegin(); keyframe != keyframes_.rend() && keyframe->to_come > 0;
       ++keyframe) {
    if (!IsReference(*stream_packet.stream->format.parameters, *packet.data)) break;
    if (--keyframe->to_come == 0) keyframe->whole_ns = packet.monotonic_ns;
  }
  if (packet.keyframe) {
    keyframes_.push_back({front_ + packets_.size(), packet.monotonic_ns, packet.CleanStart(),
                          packet.recovery_frames, packet.monotonic_ns});
  } else if (packets_.empty()) {
    return;
  }
  newest_ns_ = std::max(newest_ns_, packet.monotonic_ns);
  bytes_ += packet.size_bytes;
  packets_.push_back(std::move(stream_packet));

  if (const Keyframe* start = StartFor(newest_ns_ - span_ns_)) {
    const uint64_t at = start->at;
    while (keyframes_.front().at < at) DropFirstGroup();
  }
  while (keyframes_.size() > 1 && bytes_ > max_bytes_) DropFirstGroup();
  if (bytes_ > max_bytes_) Clear();
}

void PacketRing::DropFirstGroup() {
  for (uint64_t count = keyframes_[1].at - keyframes_[0].at; count > 0; --count) {
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

const PacketRing::Keyframe* PacketRing::StartFor(int64_t monotonic_ns) const {
  const Keyframe* start = nullptr;
  for (const Keyframe& keyframe : keyframes_) {
    if (keyframe.monotonic_ns > monotonic_ns) break;
    if (keyframe.to_come > 0 || keyframe.whole_ns > monotonic_ns) continue;
    const bool cleaner = start != nullptr && start->clean && !keyframe.clean &&
                         monotonic_ns - start->monotonic_ns <= reach_ns_;
    if (!cleaner) start = &keyframe;
  }
  return start;
}

std::vector<StreamPacket> PacketRing::From(int64_t monotonic_ns) const {
  if (packets_.empty() || newest_ns_ + kOutageNs < monotonic_ns) return {};
  const Keyframe* start = StartFor(monotonic_ns);
  const uint64_t at = start != nullptr ? start->at : keyframes_.front().at;
  return {packets_.begin() + static_cast<ptrdiff_t>(at - front_), packets_.end()};
}

}  // namespace gleaner::edge
