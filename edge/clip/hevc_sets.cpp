#include "edge/clip/hevc_sets.h"

#include <algorithm>
#include <cstring>

#include "edge/camera/nal_units.h"

namespace gleaner::edge {
namespace {

// ITU-T H.265 table 7-1: VPS, SPS, PPS.
bool IsSet(Bytes unit) {
  const int type = unit[0] >> 1 & 0x3f;
  return type >= 32 && type <= 34;
}

std::vector<uint8_t> Copy(Bytes unit) { return {unit.begin(), unit.end()}; }

}  // namespace

HevcSets::HevcSets(const AVCodecParameters& parameters) : length_bytes_(LengthBytes(parameters)) {
  const Bytes extra(parameters.extradata, static_cast<size_t>(parameters.extradata_size));
  if (length_bytes_ == 0) {
    ForEachNalUnit(extra, 0, [this](Bytes unit) {
      if (IsSet(unit)) sets_.insert(Copy(unit));
    });
    return;
  }
  // hvcC: a count of arrays, each with its type, a count of units, and two bytes of length each.
  const auto word = [&](size_t at) { return static_cast<size_t>(extra[at]) << 8 | extra[at + 1]; };
  size_t at = 23;
  for (int arrays = extra[22]; arrays > 0 && at + 3 <= extra.size(); --arrays) {
    size_t units = word(at + 1);
    at += 3;
    for (; units > 0 && at + 2 <= extra.size(); --units) {
      const size_t length = std::min(word(at), extra.size() - at - 2);
      sets_.insert(Copy(extra.subspan(at + 2, length)));
      at += 2 + length;
    }
  }
}

AvPtr<AVPacket> HevcSets::LeaveOut(const AVPacket& keyframe) const {
  std::vector<uint8_t> kept;
  bool left_out = false;
  ForEachNalUnit({keyframe.data, static_cast<size_t>(keyframe.size)}, length_bytes_,
                 [&](Bytes unit) {
                   if (IsSet(unit) && sets_.contains(Copy(unit))) {
                     left_out = true;
                   } else {
                     AppendNalUnit(unit, length_bytes_, &kept);
                   }
                 });
  if (!left_out) return nullptr;
  AvPtr<AVPacket> packet = NewPacket();
  if (av_new_packet(packet.get(), static_cast<int>(kept.size())) < 0 ||
      av_packet_copy_props(packet.get(), &keyframe) < 0) {
    return nullptr;
  }
  std::memcpy(packet->data, kept.data(), kept.size());
  return packet;
}

}  // namespace gleaner::edge
