#include "cloud/database/hmac_number.h"

#include <algorithm>

#include "cloud/database/columns.h"
#include "common/digest.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kBlockBytes = 64;  // RFC 2104: of SHA-256
constexpr unsigned char kInner = 0x36, kOuter = 0x5c;

std::string Pad(std::string_view key, unsigned char with) {
  std::string block(kBlockBytes, '\0');
  std::copy_n(key.begin(), std::min(key.size(), block.size()), block.begin());
  for (char& c : block) c = static_cast<char>(static_cast<unsigned char>(c) ^ with);
  return Hex(block);
}

}  // namespace

HmacPads PadsOf(std::string_view key) {
  return {.inner = Pad(key, kInner), .outer = Pad(key, kOuter)};
}

uint32_t HmacNumber(std::string_view inner, std::string_view outer, std::string_view a,
                    std::string_view b, std::string_view c) {
  const std::string first = Unhex(inner), second = Unhex(outer);
  if (first.size() != kBlockBytes || second.size() != kBlockBytes) return 0;
  Sha256 hash;
  hash.Update(first);
  hash.Update(a);
  hash.Update(std::string_view("\0", 1));
  hash.Update(b);
  hash.Update(std::string_view("\0", 1));
  hash.Update(c);
  const Sha256Digest inside = hash.Finish();
  hash.Update(second);
  hash.Update(AsBytes(inside));
  const Sha256Digest mac = hash.Finish();
  return static_cast<uint32_t>(mac[0]) << 24 | static_cast<uint32_t>(mac[1]) << 16 |
         static_cast<uint32_t>(mac[2]) << 8 | mac[3];
}

}  // namespace gleaner::cloud
