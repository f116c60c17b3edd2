// How keys and digests stand in columns: as lower-case hex, which both databases compare and show
// alike.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "common/clip_key.h"
#include "common/digest.h"

namespace gleaner::cloud {

inline std::string HexOf(const BootId& id) { return Hex(AsBytes(id)); }
inline std::string HexOf(const Sha256Digest& digest) { return Hex(AsBytes(digest)); }
inline std::string Unhex(std::string_view hex) {
  return absl::HexStringToBytes({hex.data(), hex.size()});
}
// Zeros for what isn't 64 digits.
inline Sha256Digest DigestFromBytes(std::string_view bytes) {
  Sha256Digest digest{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), digest.size()), digest.begin());
  return digest;
}
inline Sha256Digest DigestFromHex(std::string_view hex) { return DigestFromBytes(Unhex(hex)); }

}  // namespace gleaner::cloud
