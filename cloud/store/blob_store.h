// Where objects live: files by default, S3 later, behind this one interface.
//
// A blob is written once, from front to back with resume, and then read by range until it is
// removed. It has a name of the store's own making; the catalogue alone knows what a blob is for,
// and a blob that no catalogue row names is rubbish that Sweep() removes.
//
// Order of writes of a clip, so that a crash anywhere leaves no lie behind:
//   Create → WriteAt … → Sync → catalogue names the blob (BeginUpload, or CommitClip if that is all
//   of the clip) → only now may anyone be told → … → CommitClip → receipt.
// A crash before Sync may leave a blob with a part of its bytes or none, or not there at all:
// whoever resumes reads back what there is and trusts only what matches the manifest's checksums.
#pragma once

#include <sys/uio.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file.h"

namespace gleaner::cloud {

using BlobId = std::string;  // 32 of lower-case hex, made by the store; never from outside

// The blobs that something names and whose ids begin with `prefix`, in ascending order. An error
// must never look like "none".
using NamedBlobs = std::function<absl::StatusOr<std::vector<BlobId>>(std::string_view prefix)>;

// One writer a blob. Used by one thread at a time.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  virtual const BlobId& id() const = 0;
  // Takes `count` parts one after the other into memory (see BlobStore::BytesInMemory); they go to
  // the disk with Sync. `offset` must be where the last write ended, or below: what was written
  // above it then counts no more. Doesn't wait for the disk, unless the first write after Create,
  // Resume or Sync begins within a disk block of 4 KiB: it reads what stands before.
  virtual absl::Status WriteAt(uint64_t offset, const struct iovec* parts, int count) = 0;
  // What WriteAt has taken since the last Sync, from `offset` on; valid until the next call.
  virtual std::vector<struct iovec> Held(uint64_t offset) const = 0;
  // On return everything written is on stable storage, and so is the blob's existence.
  // RESOURCE_EXHAUSTED when the disk is full. After an error the blob must be removed: the kernel
  // may have dropped the bytes and forgotten that it did, so that neither reading back nor a second
  // Sync proves anything. Every later call fails.
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
  virtual absl::StatusOr<uint64_t> SizeOf(const BlobId& id) = 0;
  // A read-only descriptor, at its beginning, of a file that holds this blob and nothing else: for
  // a worker that must not see the store.
  virtual absl::StatusOr<Fd> Open(const BlobId& id) = 0;
  // OK if it is not there.
  virtual absl::Status Remove(const BlobId& id) = 0;
  // Clears what `named` doesn't list: of files in which nobody writes, and those made since the
  // store was opened only an hour after the last write, since a blob is named within moments of its
  // making. Returns how many bytes it gave back. When nothing that the store holds is named,
  // nothing is cleared and FAILED_PRECONDITION returned: that is another store's catalogue, or a
  // new one in place of a lost one. `stop` ends it: CANCELLED before anything is cleared, and with
  // less cleared after that.
  virtual absl::StatusOr<uint64_t> Sweep(const NamedBlobs& named,
                                         const std::stop_token& stop = {}) = 0;
  // Bytes free for new blobs.
  virtual absl::StatusOr<uint64_t> FreeBytes() = 0;
  // What writers hold in memory. Whoever writes bounds it, by syncing.
  virtual uint64_t BytesInMemory() const = 0;
};

// fdatasync(2), or what a test puts in its place.
using SyncCall = int (*)(int fd);

// Room for many blobs is reserved at once, in segments under `directory`; a blob of more than a
// quarter of one that the current one hasn't room for gets a file of its own. Files are few
// whatever the number of clips, a blob costs no directory entry, and clips that arrive together
// share a sync. What is removed is punched out of its segment, which goes when it is empty. The
// file system must know fallocate, punching and nameless files (ext4, XFS, Btrfs, tmpfs).
struct FileBlobOptions {
  uint64_t segment_bytes = 64 << 20;
  // Open refuses to copy (RESOURCE_EXHAUSTED) what would leave less than this free.
  uint64_t copy_floor_bytes = 0;
  SyncCall sync = &::fdatasync;
};

// One process a directory. It must outlive its writers. FAILED_PRECONDITION if blobs of an older
// layout lie there.
absl::StatusOr<std::unique_ptr<BlobStore>> OpenFileBlobStore(const std::string& directory,
                                                             const FileBlobOptions& options = {});

}  // namespace gleaner::cloud
