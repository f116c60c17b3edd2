// As much of H.264's parameter sets and slice headers as is needed to find, in a slice, what it
// says about older reference pictures (ITU-T H.264 7.3.2.1, 7.3.2.2, 7.3.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace gleaner::edge {

struct H264Sps {
  bool separate_planes = false;
  bool monochrome = false;
  int frame_num_bits = 4;
  uint32_t poc_type = 0;
  int poc_lsb_bits = 4;
  bool delta_poc_always_zero = false;
  uint32_t reference_frames = 1;
  bool frames_only = true;
};

struct H264Pps {
  uint32_t sps = 0;
  bool cabac = false;
  bool poc_in_frames = false;
  bool slice_groups = false;
  uint32_t references[2] = {1, 1};
  bool weighted_p = false;
  uint32_t weighted_b = 0;
  bool deblocking_control = false;
  bool redundant_pictures = false;
};

// One memory management control operation (7.4.3.3).
struct Mmco {
  uint32_t operation = 0;
  std::vector<uint32_t> operands;
};

struct H264Slice {
  int type = 0;  // nal_unit_type
  bool reference = false;
  const H264Sps* sps = nullptr;
  const H264Pps* pps = nullptr;
  uint32_t frame_num = 0;
  // Where the slice header says what becomes of older pictures, in bits of the unescaped unit: from
  // adaptive_ref_pic_marking_mode_flag on. Equal where it says nothing, as in an IDR picture.
  size_t marking_begin = 0;
  size_t marking_end = 0;
  bool adaptive = false;
  std::vector<Mmco> operations;
  size_t header_end = 0;  // where slice data begins, before CABAC's alignment
};

// The parameter sets seen so far. Not thread-safe.
class H264Headers {
 public:
  // A parameter set; anything else, and one that can't be read, changes nothing. Unescaped, with
  // the NAL unit's first byte.
  void Take(std::span<const uint8_t> unit);
  // Of a slice (nal_unit_type 1 or 5). nullopt for what isn't read here: fields, slice groups,
  // types SP and SI, or a slice whose parameter sets are missing or that makes no sense.
  std::optional<H264Slice> Read(std::span<const uint8_t> unit) const;

 private:
  std::map<uint32_t, H264Sps> sps_;
  std::map<uint32_t, H264Pps> pps_;
};

}  // namespace gleaner::edge
