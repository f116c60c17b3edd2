// Reads the bits of H.264's and H.265's headers (ITU-T H.264 7.2, 9.1).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gleaner::edge {

// A NAL unit's bytes without its emulation prevention: 00 00 03 → 00 00 (7.4.1).
inline std::vector<uint8_t> Unescape(std::span<const uint8_t> nal) {
  std::vector<uint8_t> bytes;
  bytes.reserve(nal.size());
  int zeros = 0;
  for (const uint8_t byte : nal) {
    if (zeros >= 2 && byte == 3) {
      zeros = 0;
      continue;
    }
    zeros = byte == 0 ? zeros + 1 : 0;
    bytes.push_back(byte);
  }
  return bytes;
}

// The other way round.
inline std::vector<uint8_t> Escape(std::span<const uint8_t> bytes) {
  std::vector<uint8_t> nal;
  nal.reserve(bytes.size() + 8);
  int zeros = 0;
  for (const uint8_t byte : bytes) {
    if (zeros >= 2 && byte <= 3) {
      nal.push_back(3);
      zeros = 0;
    }
    zeros = byte == 0 ? zeros + 1 : 0;
    nal.push_back(byte);
  }
  return nal;
}

// Past the end it reads zeros and ok() is false. `bytes` outlive it.
class BitReader {
 public:
  explicit BitReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  uint32_t Bit() {
    if (at_ >= bytes_.size() * 8) {
      ok_ = false;
      return 0;
    }
    const uint32_t bit = bytes_[at_ / 8] >> (7 - at_ % 8) & 1;
    ++at_;
    return bit;
  }
  bool Flag() { return Bit() != 0; }
  // u(n), n ≤ 32.
  uint32_t Bits(int n) {
    uint32_t value = 0;
    for (; n > 0; --n) value = value << 1 | Bit();
    return value;
  }
  // ue(v)
  uint32_t Ue() {
    int zeros = 0;
    while (ok_ && Bit() == 0) {
      if (++zeros == 32) ok_ = false;
    }
    return ok_ ? (uint32_t{1} << zeros) - 1 + Bits(zeros) : 0;
  }
  // se(v)
  int32_t Se() {
    const uint32_t code = Ue();
    const auto half = static_cast<int32_t>((uint64_t{code} + 1) / 2);
    return code % 2 == 0 ? -half : half;
  }

  // In bits, from the start.
  size_t at() const { return at_; }
  bool ok() const { return ok_; }

 private:
  std::span<const uint8_t> bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

class BitWriter {
 public:
  void Bit(uint32_t bit) {
    if (at_++ % 8 == 0) bytes_.push_back(0);
    if (bit != 0) bytes_.back() |= static_cast<uint8_t>(0x80 >> (at_ - 1) % 8);
  }
  // ue(v)
  void Ue(uint32_t value) {
    const uint64_t code = uint64_t{value} + 1;
    int length = 0;
    while (code >> (length + 1) != 0) ++length;
    for (int i = 0; i < length; ++i) Bit(0);
    for (int i = length; i >= 0; --i) Bit(code >> i & 1);
  }
  // Bits [from, to) of `bytes`, which are there.
  void Copy(std::span<const uint8_t> bytes, size_t from, size_t to) {
    for (size_t at = from; at < to; ++at) Bit(bytes[at / 8] >> (7 - at % 8) & 1);
  }
  bool aligned() const { return at_ % 8 == 0; }
  std::vector<uint8_t>& bytes() { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
  size_t at_ = 0;
};

}  // namespace gleaner::edge
