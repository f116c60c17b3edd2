// Secrets that the server makes: 256 random bits each, so that their SHA-256, which is all that is
// kept, tells nothing of them and needs neither salt nor slowness.
#pragma once

#include <string>
#include <string_view>

namespace gleaner::cloud {

// 64 hexadecimal digits.
std::string NewSecret();

// How a secret stands in a column: its SHA-256 in hex.
std::string HashOf(std::string_view secret);

}  // namespace gleaner::cloud
