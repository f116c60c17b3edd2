#include "edge/camera/h264_repair.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace gleaner::edge {
namespace {

// Long enough for the deepest reordering that H.264 allows (16 frames) to show, several times over.
constexpr size_t kLookAhead = 64;
constexpr uint8_t kUnreferencedIdr = 0x05;

uint32_t ReadLength(const uint8_t* data, int bytes) {
  uint32_t length = 0;
  for (int i = 0; i < bytes; ++i) length = length << 8 | data[i];
  return length;
}

}  // namespace

void DropImpossibleNalUnits(const AVCodecParameters& parameters, AVPacket* packet) {
  // avcC starts with version 1; byte 4 holds the size of the length prefix (ISO 14496-15, 5.3.3.1).
  if (parameters.codec_id != AV_CODEC_ID_H264 || parameters.extradata_size < 7 ||
      parameters.extradata[0] != 1) {
    return;
  }
  const int prefix = (parameters.extradata[4] & 3) + 1;
  const int64_t size = packet->size;
  bool sound = true;
  for (int64_t at = 0; at + prefix < size;) {
    sound &= packet->data[at + prefix] != kUnreferencedIdr;
    at += prefix + int64_t{ReadLength(packet->data + at, prefix)};
  }
  if (sound) return;

  AvPtr<AVPacket> clean = NewPacket();
  if (av_new_packet(clean.get(), packet->size) < 0) return;
  int kept = 0;
  for (int64_t at = 0; at + prefix < size;) {
    const int64_t unit =
        std::min(size - at, prefix + int64_t{ReadLength(packet->data + at, prefix)});
    if (packet->data[at + prefix] != kUnreferencedIdr) {
      std::memcpy(clean->data + kept, packet->data + at, unit);
      kept += static_cast<int>(unit);
    }
    at += unit;
  }
  if (kept == 0) return;
  av_shrink_packet(clean.get(), kept);
  av_packet_copy_props(clean.get(), packet);
  av_packet_unref(packet);
  av_packet_move_ref(packet, clean.get());
}

PresentationRepair::PresentationRepair(const VideoFormat& format)
    : order_(format),
      depth_(static_cast<size_t>(std::max(0, format.parameters->video_delay))),
      deciding_(order_.reads()) {}

int64_t PresentationRepair::TimeOf(const AVPacket& packet) {
  const int64_t time = packet.dts == AV_NOPTS_VALUE ? next_time_ : packet.dts;
  next_time_ = time + std::max<int64_t>(1, packet.duration);
  return time;
}

void PresentationRepair::Push(AvPtr<AVPacket> packet) {
  Item item;
  if (deciding_ || sorter_.has_value()) {
    const bool has_pts = packet->pts != AV_NOPTS_VALUE;
    // Times of both kinds, or of the frames themselves: they are true.
    if (deciding_ && has_pts && packet->pts != packet->dts) deciding_ = false;
    item.time = TimeOf(*packet);
    item.place = order_.Next(*packet);
  }
  if (sorter_.has_value()) {
    sorter_->Push(std::move(packet), item.time, item.place);
    return;
  }
  item.packet = std::move(packet);
  queue_.push_back(std::move(item));
  if (deciding_ && queue_.size() == kLookAhead) Decide();
}

void PresentationRepair::Finish() {
  if (deciding_) Decide();
  if (sorter_.has_value()) sorter_->Finish();
}

void PresentationRepair::Decide() {
  deciding_ = false;
  size_t depth = 0;
  for (auto item = queue_.begin(); item != queue_.end(); ++item) {
    const auto later = std::count_if(
        queue_.begin(), item, [&](const Item& before) { return before.place > item->place; });
    depth = std::max(depth, static_cast<size_t>(later));
  }
  depth_ = depth;
  if (depth == 0) return;
  sorter_.emplace(depth);
  for (Item& item : std::exchange(queue_, {})) {
    sorter_->Push(std::move(item.packet), item.time, item.place);
  }
}

AvPtr<AVPacket> PresentationRepair::Pop() {
  if (sorter_.has_value()) return sorter_->Pop();
  if (queue_.empty() || deciding_) return nullptr;
  AvPtr<AVPacket> packet = std::move(queue_.front().packet);
  queue_.pop_front();
  return packet;
}

}  // namespace gleaner::edge
