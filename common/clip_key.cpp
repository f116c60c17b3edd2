#include "common/clip_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "common/digest.h"

namespace gleaner {

absl::StatusOr<BootId> BootIdFromBytes(std::string_view bytes) {
  BootId id;
  if (bytes.size() != id.size()) {
    return absl::InvalidArgumentError(
        fmt::format("boot_id must have 16 bytes, has {}", bytes.size()));
  }
  std::memcpy(id.data(), bytes.data(), id.size());
  return id;
}

BootId DeriveBootId(std::string_view kernel_boot_id, std::string_view spool_id) {
  Sha256 hash;
  hash.Update(kernel_boot_id);
  hash.Update(spool_id);
  const Sha256Digest digest = hash.Finish();
  BootId id;
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

std::string KernelBootId() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(in, id);
  return id;
}

std::string ToString(const ClipKey& key) {
  return fmt::format("{}/{}", Hex(AsBytes(key.boot_id).substr(0, 4)), key.sequence);
}

std::string ClipId(std::string_view device, const ClipKey& key) {
  Sha256 hash;
  hash.Update(device);
  hash.Update(std::string_view("\0", 1));
  hash.Update(AsBytes(key.boot_id));
  char sequence[8];
  for (int i = 0; i < 8; ++i) sequence[i] = static_cast<char>(key.sequence >> (56 - 8 * i));
  hash.Update(std::string_view(sequence, sizeof sequence));
  return Hex(AsBytes(hash.Finish())).substr(0, kClipIdDigits);
}

}  // namespace gleaner
