// The name of a clip: (boot id, sequence number), unique together with the device. See proto
// ClipKey.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gleaner {

using BootId = std::array<uint8_t, 16>;

struct ClipKey {
  BootId boot_id{};
  uint64_t sequence = 0;  // from 1

  auto operator<=>(const ClipKey&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const ClipKey& key) {
    return H::combine(std::move(h), key.boot_id, key.sequence);
  }
};

// INVALID_ARGUMENT unless `bytes` has exactly 16.
absl::StatusOr<BootId> BootIdFromBytes(std::string_view bytes);
inline std::string_view AsBytes(const BootId& id) {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

// The boot id of a spool on this machine: the first 16 bytes of SHA-256(kernel boot id ‖ spool id),
// so that it changes with every boot and with every new spool.
BootId DeriveBootId(std::string_view kernel_boot_id, std::string_view spool_id);
// /proc/sys/kernel/random/boot_id without its line end; empty if it can't be read.
std::string KernelBootId();

// "3f2a…/17": the first 8 hex digits of the boot id and the sequence number, for logs and people.
std::string ToString(const ClipKey& key);

// The id that the catalog, the page and URLs use: the first 20 hex digits of SHA-256(device ‖ 0 ‖
// boot id ‖ sequence as 8 bytes big-endian). The same clip has the same id everywhere and for ever.
inline constexpr size_t kClipIdDigits = 20;
std::string ClipId(std::string_view device, const ClipKey& key);

}  // namespace gleaner
