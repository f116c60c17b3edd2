#include "common/printable.h"

#include <fmt/format.h>

#include <cstdint>

namespace gleaner {
namespace {

struct Character {
  uint32_t code = 0;
  size_t size = 0;  // in bytes; 0: what stands there is not UTF-8
};

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
Character First(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  uint32_t code = lead & (0x7fu >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  static constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {};
  return {code, size};
}

bool IsShown(uint32_t code) {
  struct Range {
    uint32_t first, last;
  };
  static constexpr Range kHidden[] = {
      {0x00, 0x1f},      {0x7f, 0x9f},      // controls, C0 and C1
      {0xad, 0xad},                         // soft hyphen
      {0x61c, 0x61c},                       // turns the direction of writing
      {0x200b, 0x200f},                     // no width, direction
      {0x2028, 0x202e},                     // line, paragraph, direction
      {0x2060, 0x206f},                     // no width, direction
      {0xfeff, 0xfeff},  {0xfff9, 0xfffb},  // byte order, annotations
      {0xe0000, 0xe0fff}                    // tags
  };
  for (const Range& range : kHidden) {
    if (code >= range.first && code <= range.last) return false;
  }
  return true;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const Character next = First(text);
    const size_t size = next.size == 0 ? 1 : next.size;
    if (next.size > 0 && IsShown(next.code)) {
      shown += text.substr(0, size);
    } else if (text[0] == '\n') {
      shown += "\\n";
    } else if (text[0] == '\r') {
      shown += "\\r";
    } else if (text[0] == '\t') {
      shown += "\\t";
    } else if (next.size > 1) {
      shown += fmt::format("\\u{:04x}", next.code);
    } else {
      shown += fmt::format("\\x{:02x}", static_cast<uint8_t>(text[0]));
    }
    text.remove_prefix(size);
  }
  return shown;
}

}  // namespace gleaner
