// Where a blob lies, which is what its name says: no index is kept, written or lost.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/store/upload_staging.h"

namespace gleaner::cloud {

// What O_DIRECT asks of offsets, lengths and memory on any disk of today.
inline constexpr uint64_t kDiskBlockBytes = 4096;

constexpr uint64_t RoundUpToDiskBlock(uint64_t bytes) {
  return (bytes + kDiskBlockBytes - 1) / kDiskBlockBytes * kDiskBlockBytes;
}

// A blob is a run of disk blocks of one segment; what its last block has beyond its size is zero.
// As a BlobId: 12 hex digits of the segment's name, 8 of the first disk block, 12 of the size.
struct BlobPlace {
  std::string segment;  // 12 of lower-case hex
  uint64_t offset = 0;  // a multiple of kDiskBlockBytes
  uint64_t size = 0;    // in bytes; below 2^48

  uint64_t end() const { return offset + RoundUpToDiskBlock(size); }
  BlobId id() const;
};

inline constexpr size_t kSegmentNameLetters = 12;
bool IsSegmentName(std::string_view name);

// INVALID_ARGUMENT if `id` is no blob's name.
absl::StatusOr<BlobPlace> PlaceOf(const BlobId& id);

}  // namespace gleaner::cloud
