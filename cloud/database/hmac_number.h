// The first 32 bits of an HMAC-SHA256 as a number, where SQL computes it:
//
//   hmac_number(:inner, :outer, a, b, c)
//
// is that of the texts a, b and c with a NUL between them. Both databases have it: SQLite's
// connections bring it (sqlite.cpp), PostgreSQL gets it from a migration that says
// HAS_HMAC_NUMBER (schema.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gleaner::cloud {

// The key as HMAC uses it, in hex.
struct HmacPads {
  std::string inner, outer;
};
// `key`: at most 64 bytes.
HmacPads PadsOf(std::string_view key);

// What the function computes; 0 for pads that aren't 64 bytes in hex.
uint32_t HmacNumber(std::string_view inner, std::string_view outer, std::string_view a,
                    std::string_view b, std::string_view c);

}  // namespace gleaner::cloud
