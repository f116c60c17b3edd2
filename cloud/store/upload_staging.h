// Bytes on their way in, on this server's own disk: written once, from front to back with resume,
// read back, and given up or taken over by the object store (object_store.h).
//
// What is staged can be lost without a lie: until a receipt says that a clip is kept, its device
// has it, and progress that went with a disk is granted as 0 and sent again. The catalog names
// what is staged for an upload as it names objects.
//
// A blob goes in one of three ways: Remove, by who made it and told no catalog of it, or by the
// upload that it was made for; Retire, of what a transaction of the catalog gave up (rubbish.h);
// Sweep, of what a crash left between the making and the naming.
//
// Order of writes of a clip, so that a crash anywhere leaves no lie behind:
//   Create → WriteAt … → Sync → catalog names the blob (BeginUpload, or CommitClip if that is all
//   of the clip) → only now may anyone be told → … → CommitClip → receipt.
// A crash before Sync may leave a blob with a part of its bytes or none, or not there at all:
// whoever resumes reads back what there is and trusts only what matches the manifest's checksums.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gleaner::cloud {

using BlobId = std::string;  // 32 of lower-case hex, made by the store; never from outside

// Whether it is a blob's name, and not the key of an object that lies elsewhere.
bool IsBlobId(std::string_view name);

// The blobs that something names and whose ids begin with `prefix`, in ascending order. An error
// must never look like "none".
using NamedBlobs = std::function<absl::StatusOr<std::vector<BlobId>>(std::string_view prefix)>;

// One writer a blob. Used by one thread at a time.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  virtual const BlobId& id() const = 0;
  // Takes `count` parts one after the other into memory (see UploadStaging::BytesInMemory); they go
  // to the disk with Sync. `offset` must be where the last write ended, or below: what was written
  // above it then counts no more. Doesn't wait for the disk, unless the first write after Create,
  // Resume or Sync begins within a disk block of 4 KiB: it reads what stands before.
  virtual absl::Status WriteAt(uint64_t offset, const struct iovec* parts, int count) = 0;
  // What WriteAt has taken since the last Sync, from `offset` on; valid until the next call.
  virtual std::vector<struct iovec> Held(uint64_t offset) const = 0;
  // Gives the disk what was taken, without waiting until it is durable: for several blobs, before
  // the first of their Syncs, which then serves them all. Errors as Sync.
  virtual absl::Status Flush() = 0;
  // On return everything written is on stable storage, and so is the blob's existence.
  // RESOURCE_EXHAUSTED when the disk is full. After an error the blob must be removed: the kernel
  // may have dropped the bytes and forgotten that it did, so that neither reading back nor a second
  // Sync proves anything. Every later call fails.
  virtual absl::Status Sync() = 0;
};

// Thread-safe.
class UploadStaging {
 public:
  virtual ~UploadStaging() = default;
  // A new blob of exactly `size` bytes (room is reserved). RESOURCE_EXHAUSTED when less than
  // `leave_free` bytes would then be free, however many ask at once.
  virtual absl::StatusOr<std::unique_ptr<BlobWriter>> Create(uint64_t size,
                                                             uint64_t leave_free = 0) = 0;
  // Goes on with a blob that was created earlier. NOT_FOUND if it was never durable.
  virtual absl::StatusOr<std::unique_ptr<BlobWriter>> Resume(const BlobId& id) = 0;
  // Exactly `size` bytes from `offset` into `out`; OUT_OF_RANGE past the end.
  virtual absl::Status Read(const BlobId& id, uint64_t offset, uint64_t size, std::string* out) = 0;
  // Of what no catalog has named, or only for an upload under way. OK if it is not there;
  // FAILED_PRECONDITION while it has a writer.
  virtual absl::Status Remove(const BlobId& id) = 0;
  // Of what a catalog has named and names no more. Returns those that are removed; the others
  // have a writer. UNAVAILABLE, and none is, while a backup may still want them.
  virtual absl::StatusOr<std::vector<BlobId>> Retire(const std::vector<BlobId>& ids) = 0;
  // Clears what `named` doesn't list: of files in which nobody writes, and those made since the
  // store was opened only an hour after the last write, since a blob is named within moments of its
  // making. Returns how many bytes it gave back. Where objects lie in the same place and nothing of
  // it is named, nothing is cleared and FAILED_PRECONDITION returned: that is no catalog of this
  // store. (That it is the right one is for whoever opens both to know: see data_folder.h.)
  // UNAVAILABLE while a backup is made. `stop` ends it: CANCELLED before anything is cleared, and
  // with less cleared after that.
  virtual absl::StatusOr<uint64_t> Sweep(const NamedBlobs& named,
                                         const std::stop_token& stop = {}) = 0;
  // Bytes free for new blobs.
  virtual absl::StatusOr<uint64_t> FreeBytes() = 0;
  // What writers hold in memory. Whoever writes bounds it, by syncing.
  virtual uint64_t BytesInMemory() const = 0;
};

}  // namespace gleaner::cloud
