// Where objects live: files by default, S3 later, behind this one interface.
//
// A blob is written once, from front to back with resume, and then read by range until it is
// removed. It has a name of the store's own making; the catalogue alone knows what a blob is for,
// and a blob that no catalogue row names is rubbish that Sweep() removes.
//
// Order of writes of a clip, so that a crash anywhere leaves no lie behind:
//   Create → catalogue names the blob (BeginUpload) → WriteAt … → Sync → only now may anyone be
//   told → catalogue names it as a clip's object (CommitClip) → receipt.
// A crash before Sync may leave a blob short, full of zeros, or not there at all: whoever resumes
// reads back what there is and trusts only what matches the manifest's checksums.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file.h"

namespace gleaner::cloud {

using BlobId = std::string;  // 32 of lower-case hex, random; never from outside

// One writer a blob. Used by one thread at a time.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  virtual const BlobId& id() const = 0;
  // Writes `count` parts one after the other. `offset` must be where the last write ended, or below
  // (the bytes are the same, then). RESOURCE_EXHAUSTED when the disk is full.
  virtual absl::Status WriteAt(uint64_t offset, const struct iovec* parts, int count) = 0;
  // On return everything written is on stable storage, and so is the blob's existence. After an
  // error the blob must be removed: the kernel may have dropped the bytes and forgotten that it
  // did, so that neither reading back nor a second Sync proves anything. Every later call fails.
  virtual absl::Status Sync() = 0;
};

// Thread-safe.
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  // A new blob of exactly `size` bytes (room is reserved). RESOURCE_EXHAUSTED when the store is
  // full.
  virtual absl::StatusOr<std::unique_ptr<BlobWriter>> Create(uint64_t size) = 0;
  // Goes on with a blob that was created earlier. NOT_FOUND if it was never durable.
  virtual absl::StatusOr<std::unique_ptr<BlobWriter>> Resume(const BlobId& id) = 0;
  // Exactly `size` bytes from `offset` into `out`; OUT_OF_RANGE past the end.
  virtual absl::Status Read(const BlobId& id, uint64_t offset, uint64_t size, std::string* out) = 0;
  // A read-only descriptor for a worker that must not see the store (from S3: a temporary file).
  virtual absl::StatusOr<Fd> Open(const BlobId& id) = 0;
  // OK if it is not there.
  virtual absl::Status Remove(const BlobId& id) = 0;
  // Removes blobs last written more than an hour ago for which `is_named` is false: a blob is named
  // within moments of its making. Returns how many. When `is_named` knows none of the store's old
  // blobs, nothing is removed and FAILED_PRECONDITION returned: that is another store's catalogue,
  // or a new one in place of a lost one. `stop` ends it: CANCELLED before anything is removed, and
  // with fewer removed after that.
  virtual absl::StatusOr<uint64_t> Sweep(const std::function<bool(const BlobId&)>& is_named,
                                         const std::stop_token& stop = {}) = 0;
  // Bytes free for new blobs.
  virtual absl::StatusOr<uint64_t> FreeBytes() = 0;
};

// Files under `directory`/ab/abcdef…, written in place under their final name: no rename, no copy.
absl::StatusOr<std::unique_ptr<BlobStore>> OpenFileBlobStore(const std::string& directory);

}  // namespace gleaner::cloud
