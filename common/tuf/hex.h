// Bytes of a known number from lower-case hexadecimal: the only way that metadata writes them, so
// that nothing has two spellings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gleaner::tuf {

// False unless `text` is exactly twice as many of [0-9a-f].
template <typename Bytes>
bool ReadHex(std::string_view text, Bytes& bytes) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  if (text.size() != 2 * bytes.size()) return false;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

}  // namespace gleaner::tuf
