// Text for a field with a bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace gleaner::edge {

// The longest prefix of at most `max_bytes` that ends with a whole UTF-8 character: with half of
// one, no receiver would parse the message.
inline std::string Shorten(std::string text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  size_t end = max_bytes;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text;
}

}  // namespace gleaner::edge
