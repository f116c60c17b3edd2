// The Range header (RFC 9110, section 14): one range of bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace gleaner::cloud {

struct ByteRange {
  enum class Kind { kWhole, kPart, kUnsatisfiable };
  Kind kind = Kind::kWhole;
  uint64_t offset = 0;
  uint64_t length = 0;
};

// `header`: the field's value or empty. A header that is malformed or asks for several ranges is
// ignored, as the RFC allows: the whole is served.
ByteRange ParseRange(std::string_view header, uint64_t size);

}  // namespace gleaner::cloud
