// Where objects live: files by default, S3 later, behind this one interface.
//
// A blob is written once, from front to back with resume, and then read by range until it is
// removed. It has a name of the store's own making; the catalogue alone knows what a blob is for.
//
// A blob goes in one of three ways: Remove, by who made it and told no catalogue of it, or by the
// upload that it was made for; Retire, of what a transaction of the catalogue gave up (rubbish.h);
// Sweep, of what a crash left between the making and the naming. The last rests on the catalogue
// being the right one and as young as the blobs: data_folder.h sees to that, and where it can't be
// sure FindUnnamed tells what is to be kept aside instead.
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
  // A new blob of exactly `size` bytes (room is reserved). RESOURCE_EXHAUSTED when less than
  // `leave_free` bytes would then be free, however many ask at once.
  virtual absl::StatusOr<std::unique_ptr<BlobWriter>> Create(uint64_t size,
                                                             uint64_t leave_free = 0) = 0;
  // Goes on with a blob that was created earlier. NOT_FOUND if it was never durable.
  virtual absl::StatusOr<std::unique_ptr<BlobWriter>> Resume(const BlobId& id) = 0;
  // Exactly `size` bytes from `offset` into `out`; OUT_OF_RANGE past the end.
  virtual absl::Status Read(const BlobId& id, uint64_t offset, uint64_t size, std::string* out) = 0;
  virtual absl::StatusOr<uint64_t> SizeOf(const BlobId& id) = 0;
  // A read-only descriptor, at its beginning, of a file that holds this blob and nothing else: for
  // a worker that must not see the store.
  virtual absl::StatusOr<Fd> Open(const BlobId& id) = 0;
  // Of what no catalogue has named, or only for an upload under way. OK if it is not there;
  // FAILED_PRECONDITION while it has a writer.
  virtual absl::Status Remove(const BlobId& id) = 0;
  // Of what a catalogue has named and names no more. Returns those that are removed; the others
  // have a writer. UNAVAILABLE, and none is, while a backup may still want them.
  virtual absl::StatusOr<std::vector<BlobId>> Retire(const std::vector<BlobId>& ids) = 0;
  // Clears what `named` doesn't list: of files in which nobody writes, and those made since the
  // store was opened only an hour after the last write, since a blob is named within moments of its
  // making. Returns how many bytes it gave back. When nothing that the store holds is named,
  // nothing is cleared and FAILED_PRECONDITION returned: that is no catalogue of this store. (That
  // it is the right one is for whoever opens both to know: see data_folder.h.) UNAVAILABLE while a
  // backup is made. `stop` ends it: CANCELLED before anything is cleared, and with less cleared
  // after that.
  virtual absl::StatusOr<uint64_t> Sweep(const NamedBlobs& named,
                                         const std::stop_token& stop = {}) = 0;
  // The runs of written bytes that `named` doesn't list, each as a blob with a name of its own; of
  // files in which nobody writes, which are all when the store was just opened.
  virtual absl::StatusOr<std::vector<BlobId>> FindUnnamed(const NamedBlobs& named) = 0;
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
  // What the file system has free, in bytes; empty: statvfs(3) is asked. For tests.
  std::function<uint64_t()> free_bytes;
};

// One process a directory. It must outlive its writers.
absl::StatusOr<std::unique_ptr<BlobStore>> OpenFileBlobStore(const std::string& directory,
                                                             const FileBlobOptions& options = {});

// While it is held, by any process, nothing that a catalogue has named is removed from
// `directory`: what a backup has read in a catalogue it finds. Waits for a removal under way.
absl::StatusOr<Fd> HoldRemovals(const std::string& directory);

}  // namespace gleaner::cloud
