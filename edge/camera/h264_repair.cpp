#include "edge/camera/h264_repair.h"

#include <algorithm>
#include <cstring>

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

PresentationRepair::PresentationRepair(const VideoFormat& format) {
  if (!format.Remuxable()) {
    state_ = State::kPassing;
    return;
  }
  context_.reset(avcodec_alloc_context3(nullptr));
  avcodec_parameters_to_context(context_.get(), format.parameters.get());
  parser_.reset(av_parser_init(format.parameters->codec_id));
  if (parser_ == nullptr) {
    state_ = State::kPassing;
    return;
  }
  parser_->flags |= PARSER_FLAG_COMPLETE_FRAMES;
}

PresentationRepair::Place PresentationRepair::Parse(const AVPacket& packet) {
  uint8_t* out = nullptr;
  int out_size = 0;
  av_parser_parse2(parser_.get(), context_.get(), &out, &out_size, packet.data, packet.size,
                   packet.pts, packet.dts, packet.pos);
  if (parser_->key_frame == 1 && parser_->output_picture_number == 0) ++period_;
  return {period_, parser_->output_picture_number};
}

void PresentationRepair::Push(AvPtr<AVPacket> packet) {
  Item item;
  if (state_ != State::kPassing) {
    if (packet->dts == AV_NOPTS_VALUE ||
        (packet->pts != AV_NOPTS_VALUE && packet->pts != packet->dts)) {
      // Times of both kinds: they are true.
      if (state_ == State::kDeciding) state_ = State::kPassing;
    }
    item.time = packet->dts;
    item.place = Parse(*packet);
  }
  if (state_ == State::kRepairing) {
    times_.push_back(item.time);
    waiting_.emplace(item.place, front_ + queue_.size());
  }
  item.packet = std::move(packet);
  queue_.push_back(std::move(item));
  if (state_ == State::kDeciding && queue_.size() == kLookAhead) Decide();
  if (state_ == State::kRepairing) Assign(depth_);
}

void PresentationRepair::Finish() {
  if (state_ == State::kDeciding) Decide();
  if (state_ == State::kRepairing) Assign(0);
}

void PresentationRepair::Decide() {
  for (size_t i = 0; i < queue_.size(); ++i) {
    const size_t later = std::count_if(queue_.begin(), queue_.begin() + i, [&](const Item& before) {
      return before.place > queue_[i].place;
    });
    depth_ = std::max(depth_, later);
  }
  if (depth_ == 0) {
    state_ = State::kPassing;
    return;
  }
  state_ = State::kRepairing;
  // Decoding starts `depth_` frames before the first is shown.
  const int64_t first = queue_.front().time;
  const int64_t step = std::max<int64_t>(1, queue_[1].time - first);
  for (size_t i = depth_; i > 0; --i) past_.push_back(first - static_cast<int64_t>(i) * step);
  for (size_t i = 0; i < queue_.size(); ++i) {
    times_.push_back(queue_[i].time);
    waiting_.emplace(queue_[i].place, front_ + i);
    Assign(depth_);
  }
}

void PresentationRepair::Assign(size_t keep) {
  while (waiting_.size() > keep) {
    Item& item = queue_[waiting_.top().second - front_];
    waiting_.pop();
    item.packet->pts = times_.front();
    item.placed = true;
    times_.pop_front();
  }
}

AvPtr<AVPacket> PresentationRepair::Pop() {
  if (queue_.empty() || state_ == State::kDeciding) return nullptr;
  if (state_ == State::kRepairing && !queue_.front().placed) return nullptr;
  Item item = std::move(queue_.front());
  queue_.pop_front();
  ++front_;
  if (state_ == State::kRepairing) {
    past_.push_back(item.time);
    item.packet->dts = past_.front();
    past_.pop_front();
  }
  return std::move(item.packet);
}

}  // namespace gleaner::edge
