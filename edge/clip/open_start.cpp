#include "edge/clip/open_start.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "edge/camera/bits.h"
#include "edge/camera/nal_units.h"

namespace gleaner::edge {
namespace {

constexpr int kSlice = 1;
constexpr int kIdr = 5;
constexpr int kSei = 6;
// Recovery point at once (recovery_frame_cnt 0), approximate match; payload type 6, one byte.
constexpr uint8_t kRecoveryPointSei[] = {0x06, 0x06, 0x01, 0x84, 0x80};
constexpr uint8_t kRecoveryPoint = 6;

// The slice with other operations in its header.
std::vector<uint8_t> Rewrite(Bytes unit, const H264Slice& slice,
                             const std::vector<Mmco>& operations) {
  BitWriter out;
  out.Copy(unit, 0, slice.marking_begin);
  out.Bit(operations.empty() ? 0 : 1);
  for (const Mmco& operation : operations) {
    out.Ue(operation.operation);
    for (const uint32_t operand : operation.operands) out.Ue(operand);
  }
  if (!operations.empty()) out.Ue(0);
  out.Copy(unit, slice.marking_end, slice.header_end);
  if (slice.pps->cabac) {
    // Slice data stands at the next whole byte, ones in between.
    while (!out.aligned()) out.Bit(1);
    const Bytes data = unit.subspan((slice.header_end + 7) / 8);
    out.bytes().insert(out.bytes().end(), data.begin(), data.end());
  } else {
    // Up to the last one, which ends it, then zeros.
    size_t end = unit.size() * 8;
    while (end > slice.header_end && (unit[(end - 1) / 8] >> (7 - (end - 1) % 8) & 1) == 0) --end;
    out.Copy(unit, slice.header_end, end);
  }
  return Escape(out.bytes());
}

}  // namespace

OpenStart::OpenStart(std::shared_ptr<const AVCodecParameters> parameters)
    : parameters_(std::move(parameters)), length_bytes_(LengthBytes(*parameters_)) {
  const Bytes extra(parameters_->extradata, static_cast<size_t>(parameters_->extradata_size));
  if (length_bytes_ == 0) {
    ForEachNalUnit(extra, 0, [this](Bytes unit) { headers_.Take(Unescape(unit)); });
    return;
  }
  // avcC: after six bytes the SPS, then a count and the PPS, each with two bytes of length.
  size_t at = 6;
  size_t count = extra[5] & 0x1f;
  for (int kind = 0; kind < 2; ++kind) {
    for (; count > 0 && at + 2 <= extra.size(); --count) {
      const size_t length = static_cast<size_t>(extra[at]) << 8 | extra[at + 1];
      at += 2;
      headers_.Take(Unescape(extra.subspan(at, std::min(length, extra.size() - at))));
      at = std::min(extra.size(), at + length);
    }
    if (at < extra.size()) count = extra[at++];
  }
}

std::shared_ptr<const AVPacket> OpenStart::Mend(const std::shared_ptr<const AVPacket>& packet) {
  const Bytes data(packet->data, static_cast<size_t>(packet->size));
  std::vector<uint8_t> mended;
  bool changed = false;
  bool recovery_point = false;
  bool begun = false;
  H264Slice picture;             // its first slice
  std::vector<Mmco> operations;  // that it keeps
  ForEachNalUnit(data, length_bytes_, [&](Bytes unit) {
    const int type = unit[0] & 0x1f;
    done_ = done_ || type == kIdr;
    recovery_point =
        recovery_point || (type == kSei && unit.size() > 1 && unit[1] == kRecoveryPoint);
    if (type == kSlice && !done_) {
      if (std::exchange(first_, false) && !recovery_point) {
        AppendNalUnit(kRecoveryPointSei, length_bytes_, &mended);
        changed = true;
      }
      const std::vector<uint8_t> bytes = Unescape(unit);
      if (auto slice = headers_.Read(bytes)) {
        if (!std::exchange(begun, true)) {
          picture = *slice;
          BeginPicture(picture);
          operations = Possible(picture);
        }
        // Every slice of a picture says the same.
        if (operations.size() != slice->operations.size()) {
          AppendNalUnit(Rewrite(bytes, *slice, operations), length_bytes_, &mended);
          changed = true;
          return;
        }
      }
    } else {
      headers_.Take(Unescape(unit));
    }
    AppendNalUnit(unit, length_bytes_, &mended);
  });
  if (begun && !done_) EndPicture(picture, operations);
  if (!changed) return packet;

  AvPtr<AVPacket> out = NewPacket();
  if (av_new_packet(out.get(), static_cast<int>(mended.size())) < 0 ||
      av_packet_copy_props(out.get(), packet.get()) < 0) {
    return packet;
  }
  std::memcpy(out->data, mended.data(), mended.size());
  return {out.release(), AvDeleter()};
}

std::vector<Mmco> OpenStart::Possible(const H264Slice& slice) const {
  const uint32_t modulus = uint32_t{1} << slice.sps->frame_num_bits;
  std::vector<Mmco> possible;
  std::deque<uint32_t> left = short_;
  for (const Mmco& operation : slice.operations) {
    if (operation.operation == 1 || operation.operation == 3) {
      const uint32_t named = (slice.frame_num - operation.operands[0] - 1) & (modulus - 1);
      const auto at = std::find(left.begin(), left.end(), named);
      if (at == left.end()) continue;
      left.erase(at);
    } else if (operation.operation == 2 && !long_.contains(operation.operands[0])) {
      continue;
    }
    possible.push_back(operation);
  }
  return possible;
}

void OpenStart::BeginPicture(const H264Slice& slice) {
  const int64_t modulus = int64_t{1} << slice.sps->frame_num_bits;
  const int64_t now = slice.frame_num;
  if (now == previous_) return;
  int64_t before = previous_ > now ? previous_ - modulus : previous_;
  before = std::max(before, now - int64_t{slice.sps->reference_frames} - 1);
  for (int64_t missing = before + 1; missing < now; ++missing) {
    Slide(slice);
    short_.push_back(static_cast<uint32_t>((missing + modulus) % modulus));
  }
}

void OpenStart::Slide(const H264Slice& slice) {
  if (!short_.empty() && short_.size() + long_.size() >= slice.sps->reference_frames) {
    short_.pop_front();
  }
}

void OpenStart::EndPicture(const H264Slice& slice, const std::vector<Mmco>& operations) {
  previous_ = slice.frame_num;
  if (!slice.reference) return;
  const uint32_t modulus = uint32_t{1} << slice.sps->frame_num_bits;
  if (operations.empty()) Slide(slice);
  bool is_long = false;
  uint32_t frame_num = slice.frame_num;
  for (const Mmco& operation : operations) {
    switch (operation.operation) {
      case 1:
      case 3: {
        const uint32_t named = (slice.frame_num - operation.operands[0] - 1) & (modulus - 1);
        const auto at = std::find(short_.begin(), short_.end(), named);
        if (at != short_.end()) short_.erase(at);
        if (operation.operation == 3) long_.insert(operation.operands[1]);
        break;
      }
      case 2:
        long_.erase(operation.operands[0]);
        break;
      case 5:
        short_.clear();
        long_.clear();
        previous_ = frame_num = 0;
        break;
      case 6:
        is_long = true;
        long_.insert(operation.operands[0]);
        break;
      default:
        break;
    }
  }
  if (!is_long) short_.push_back(frame_num);
}

}  // namespace gleaner::edge
