// Where a clip's objects are kept once it is committed, and what is made of them: immutable, read
// by range until they are removed. The catalog alone knows which object is whose; to everybody
// else a key is opaque.
//
// With files an object lies where it was staged (file_blob_store.h), and its key is the staged
// blob's name; a bucket (s3/object_store.h) has keys that people can read.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/store/upload_staging.h"
#include "common/clip_key.h"
#include "common/digest.h"
#include "common/file.h"

namespace gleaner::cloud {

using ObjectKey = std::string;  // made by the store; never from outside

// What an object is, for stores whose keys people see.
struct ObjectName {
  std::string device;
  ClipKey clip;
  std::string part;               // "video-0", of [a-z0-9-]
  std::string_view content_type;  // a literal
};

// Bytes that are staged and synced.
struct StagedObject {
  BlobId blob;
  uint64_t size_bytes = 0;
  Sha256Digest sha256{};  // what they were found to have
  std::string_view content_type;
};

// Thread-safe; blocks. UNAVAILABLE when a store on the network doesn't answer, after several tries.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // What the object made of `staged` is to be called: a key that nothing else has or ever had, or
  // the blob's own name, where it stays what it is. For the catalog, which has to know of an
  // object before there is one.
  virtual ObjectKey KeyFor(const ObjectName& name, const BlobId& staged) = 0;
  // Makes it, under that key. On return it is on stable storage and was found to have that SHA-256;
  // DATA_LOSS if it hasn't. May be repeated. What is staged stays.
  virtual absl::Status TakeOver(const StagedObject& staged, const ObjectKey& key) = 0;
  // Keeps a small object that was made here (a thumbnail); it is on stable storage on return.
  virtual absl::StatusOr<ObjectKey> Put(const ObjectName& name, std::string_view bytes) = 0;
  // For what is large and can wait: RESOURCE_EXHAUSTED if less than `leave_free` bytes would be
  // left to others on the disk that `bytes` more would go to. 0: the disk itself says when it is
  // full. A bucket has room.
  virtual absl::Status CheckRoom(uint64_t /*bytes*/, uint64_t /*leave_free*/) {
    return absl::OkStatus();
  }
  // Exactly `size` bytes from `offset` into `out`; OUT_OF_RANGE past the end. NOT_FOUND, as the
  // next two, if there is no such object.
  virtual absl::Status Read(const ObjectKey& key, uint64_t offset, uint64_t size,
                            std::string* out) = 0;
  virtual absl::StatusOr<uint64_t> SizeOf(const ObjectKey& key) = 0;
  // A read-only descriptor, at its beginning, of a nameless file that holds this object and nothing
  // else: for a worker that must not see the store.
  virtual absl::StatusOr<Fd> OpenCopy(const ObjectKey& key) = 0;
  // OK if it is not there.
  virtual absl::Status Remove(const ObjectKey& key) = 0;
  // Calls `each` with all bytes of whatever looks like the description of a clip
  // (clip_description.h), and where that lies; in any order. Ends with the first error.
  virtual absl::Status FindDescriptions(
      const std::function<absl::Status(const ObjectKey& at, std::string_view bytes)>& each) = 0;
  // Where anybody can GET it for the next minutes, as `content_type`, and under the name of a file
  // if that isn't empty; none where it is to be had from this server only.
  virtual std::optional<std::string> UrlOf(const ObjectKey& /*key*/,
                                           std::string_view /*content_type*/,
                                           std::string_view /*file_name*/) {
    return std::nullopt;
  }
};

}  // namespace gleaner::cloud
