// Sizes that the wire contract fixes (see proto/gleaner/v1); both sides check them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gleaner {

// A block of the spool, a chunk of an upload, the unit of checksum and of resuming.
inline constexpr size_t kBlockBytes = 256 * 1024;
inline constexpr size_t kMaxManifestBytes = 256 * 1024;
inline constexpr uint64_t kMaxObjectBytes = 4ull << 30;
inline constexpr size_t kMaxCameras = 8;
inline constexpr size_t kMaxObjects = kMaxCameras + 2;  // a video each, preview and samples
inline constexpr size_t kMaxSignals = 32;
inline constexpr size_t kMaxFrames = 65536;
inline constexpr uint32_t kMaxPriority = 9;

// How many blocks an object of `size` bytes has; the last may be shorter.
inline constexpr uint64_t BlockCount(uint64_t size) {
  return (size + kBlockBytes - 1) / kBlockBytes;
}

}  // namespace gleaner
