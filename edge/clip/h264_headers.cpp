#include "edge/clip/h264_headers.h"

#include "edge/camera/bits.h"

namespace gleaner::edge {
namespace {

constexpr int kSps = 7;
constexpr int kPps = 8;
constexpr int kIdr = 5;
constexpr uint32_t kMaxReferences = 32;
constexpr size_t kMaxOperations = 66;  // as many as H.264 allows

bool HasChromaFormat(uint32_t profile) {
  for (const uint32_t high : {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}) {
    if (profile == high) return true;
  }
  return false;
}

void SkipScalingList(BitReader& bits, int size) {
  int32_t last = 8, next = 8;
  for (int i = 0; i < size && bits.ok(); ++i) {
    if (next != 0) next = (last + bits.Se() + 256) % 256;
    last = next == 0 ? last : next;
  }
}

std::optional<H264Sps> ReadSps(BitReader& bits, uint32_t* id) {
  H264Sps sps;
  const uint32_t profile = bits.Bits(8);
  bits.Bits(16);  // constraints, level
  *id = bits.Ue();
  if (HasChromaFormat(profile)) {
    const uint32_t chroma = bits.Ue();
    sps.monochrome = chroma == 0;
    if (chroma == 3) sps.separate_planes = bits.Flag();
    bits.Ue();
    bits.Ue();
    bits.Flag();
    if (bits.Flag()) {
      for (int i = 0; i < (chroma == 3 ? 12 : 8); ++i) {
        if (bits.Flag()) SkipScalingList(bits, i < 6 ? 16 : 64);
      }
    }
  }
  const uint32_t frame_num_bits = bits.Ue() + 4;
  sps.poc_type = bits.Ue();
  uint32_t poc_lsb_bits = 4;
  if (sps.poc_type == 0) {
    poc_lsb_bits = bits.Ue() + 4;
  } else if (sps.poc_type == 1) {
    sps.delta_poc_always_zero = bits.Flag();
    bits.Se();
    bits.Se();
    for (uint32_t count = bits.Ue(); count > 0 && bits.ok(); --count) bits.Se();
  }
  sps.reference_frames = bits.Ue();
  bits.Flag();
  bits.Ue();
  bits.Ue();
  sps.frames_only = bits.Flag();
  if (!bits.ok() || *id > 31 || frame_num_bits > 16 || poc_lsb_bits > 16 || sps.poc_type > 2 ||
      sps.reference_frames > 16) {
    return std::nullopt;
  }
  sps.frame_num_bits = static_cast<int>(frame_num_bits);
  sps.poc_lsb_bits = static_cast<int>(poc_lsb_bits);
  return sps;
}

std::optional<H264Pps> ReadPps(BitReader& bits, uint32_t* id) {
  H264Pps pps;
  *id = bits.Ue();
  pps.sps = bits.Ue();
  pps.cabac = bits.Flag();
  pps.poc_in_frames = bits.Flag();
  pps.slice_groups = bits.Ue() > 0;
  if (pps.slice_groups) return std::nullopt;
  for (uint32_t& count : pps.references) count = bits.Ue() + 1;
  pps.weighted_p = bits.Flag();
  pps.weighted_b = bits.Bits(2);
  bits.Se();
  bits.Se();
  bits.Se();
  pps.deblocking_control = bits.Flag();
  bits.Flag();
  pps.redundant_pictures = bits.Flag();
  if (!bits.ok() || *id > 255 || pps.references[0] > kMaxReferences ||
      pps.references[1] > kMaxReferences) {
    return std::nullopt;
  }
  return pps;
}

// One list's ref_pic_list_modification.
void SkipModification(BitReader& bits) {
  if (!bits.Flag()) return;
  while (bits.ok() && bits.Ue() != 3) bits.Ue();
}

void SkipWeights(BitReader& bits, uint32_t references, bool chroma) {
  for (; references > 0 && bits.ok(); --references) {
    if (bits.Flag()) {
      bits.Se();
      bits.Se();
    }
    if (chroma && bits.Flag()) {
      for (int i = 0; i < 4; ++i) bits.Se();
    }
  }
}

// False for more operations than there may be.
bool ReadMarking(BitReader& bits, H264Slice* slice) {
  slice->marking_begin = bits.at();
  slice->adaptive = bits.Flag();
  while (slice->adaptive && bits.ok() && slice->operations.size() < kMaxOperations) {
    Mmco operation{.operation = bits.Ue(), .operands = {}};
    if (operation.operation == 0) break;
    const int operands = operation.operation == 3 ? 2 : operation.operation == 5 ? 0 : 1;
    for (int i = 0; i < operands; ++i) operation.operands.push_back(bits.Ue());
    slice->operations.push_back(std::move(operation));
  }
  slice->marking_end = bits.at();
  return slice->operations.size() < kMaxOperations;
}

}  // namespace

void H264Headers::Take(std::span<const uint8_t> unit) {
  if (unit.empty()) return;
  const int type = unit[0] & 0x1f;
  BitReader bits(unit.subspan(1));
  uint32_t id = 0;
  if (type == kSps) {
    if (const auto sps = ReadSps(bits, &id)) sps_[id] = *sps;
  } else if (type == kPps) {
    if (const auto pps = ReadPps(bits, &id)) pps_[id] = *pps;
  }
}

std::optional<H264Slice> H264Headers::Read(std::span<const uint8_t> unit) const {
  H264Slice slice;
  slice.type = unit[0] & 0x1f;
  slice.reference = (unit[0] & 0x60) != 0;
  BitReader bits(unit);
  bits.Bits(8);
  bits.Ue();  // first_mb_in_slice
  const uint32_t type = bits.Ue() % 5;
  const bool p = type == 0, b = type == 1, i = type == 2;
  const auto pps = pps_.find(bits.Ue());
  if ((!p && !b && !i) || pps == pps_.end()) return std::nullopt;
  slice.pps = &pps->second;
  const auto sps = sps_.find(slice.pps->sps);
  if (sps == sps_.end()) return std::nullopt;
  slice.sps = &sps->second;
  if (slice.sps->separate_planes) bits.Bits(2);
  slice.frame_num = bits.Bits(slice.sps->frame_num_bits);
  if (!slice.sps->frames_only && bits.Flag()) return std::nullopt;  // a field
  if (slice.type == kIdr) bits.Ue();
  if (slice.sps->poc_type == 0) {
    bits.Bits(slice.sps->poc_lsb_bits);
    if (slice.pps->poc_in_frames) bits.Se();
  } else if (slice.sps->poc_type == 1 && !slice.sps->delta_poc_always_zero) {
    bits.Se();
    if (slice.pps->poc_in_frames) bits.Se();
  }
  if (slice.pps->redundant_pictures) bits.Ue();
  if (b) bits.Flag();
  uint32_t references[2] = {slice.pps->references[0], slice.pps->references[1]};
  if ((p || b) && bits.Flag()) {
    references[0] = bits.Ue() + 1;
    if (b) references[1] = bits.Ue() + 1;
  }
  if (references[0] > kMaxReferences || references[1] > kMaxReferences) return std::nullopt;
  if (p || b) SkipModification(bits);
  if (b) SkipModification(bits);
  if ((p && slice.pps->weighted_p) || (b && slice.pps->weighted_b == 1)) {
    const bool chroma = !slice.sps->monochrome && !slice.sps->separate_planes;
    bits.Ue();
    if (chroma) bits.Ue();
    SkipWeights(bits, references[0], chroma);
    if (b) SkipWeights(bits, references[1], chroma);
  }
  slice.marking_begin = slice.marking_end = bits.at();
  if (slice.reference && slice.type == kIdr) {
    bits.Bits(2);
    slice.marking_begin = slice.marking_end = bits.at();
  } else if (slice.reference && !ReadMarking(bits, &slice)) {
    return std::nullopt;
  }
  if (slice.pps->cabac && !i) bits.Ue();
  bits.Se();  // slice_qp_delta
  if (slice.pps->deblocking_control && bits.Ue() != 1) {
    bits.Se();
    bits.Se();
  }
  slice.header_end = bits.at();
  return bits.ok() ? std::optional(slice) : std::nullopt;
}

}  // namespace gleaner::edge
