// What lies beside a clip's objects and says whose they are, so that a lost catalog can be made
// anew from them: `gleaner-cloud recover`.
//
// With files it is one blob more in the clip's segment, written before the sync that the clip waits
// for anyway; in a bucket the object `manifest` beside the others. The catalog names it as the
// last of the clip's blobs. Its bytes:
//
//   8   "GLNRCLP1"
//   4   n, little-endian
//   32  HMAC-SHA256 of what follows, with the store's id as its key
//   n   v1.ClipDescription (proto/gleaner/v1/store.proto)
//
// It begins at a disk block, as every blob does, and that is how it is found. So a device could put
// something like it into a video; what makes it a description is the HMAC, since no device knows
// the store's id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/store/object_store.h"
#include "common/limits.h"

namespace gleaner::cloud {

struct ClipDescription {
  std::string_view manifest;
  int64_t committed_unix_ns = 0;
  std::vector<ObjectKey> objects;
};

// The same length whatever the time is.
std::string Seal(const ClipDescription& clip, std::string_view store_id);

// How many bytes the description that begins with `bytes` has in all; 0 if none does.
inline constexpr size_t kDescriptionHeadBytes = 8 + 4 + 32;
size_t DescriptionBytes(std::string_view bytes);
// At most.
inline constexpr size_t kMaxDescriptionBytes =
    kDescriptionHeadBytes + kMaxManifestBytes + kMaxObjects * 1024 + 1024;

struct UnsealedDescription {
  std::string manifest;
  int64_t committed_unix_ns = 0;
  std::vector<ObjectKey> objects;
};
// Of all its bytes. DATA_LOSS if this store didn't write them, or they aren't what it wrote.
absl::StatusOr<UnsealedDescription> Unseal(std::string_view bytes, std::string_view store_id);

}  // namespace gleaner::cloud
