// One file that many blobs share. Its room is reserved when it is made; blobs are written into it
// past the page cache (O_DIRECT where the file system has it), since what is taken in once and
// looked at perhaps once more would only push out what others read.
#pragma once

#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/file.h"

namespace gleaner::cloud {

// fdatasync(2), or what a test puts in its place.
using SyncCall = int (*)(int fd);

// ErrnoStatus, with ENOSPC and EDQUOT as the RESOURCE_EXHAUSTED that stores promise.
absl::Status DiskError(int error, std::string_view what);

// Thread-safe. One object a file, so that syncs are shared.
class Segment {
 public:
  // A new file of `size` bytes; it and its name are durable on return. ALREADY_EXISTS;
  // RESOURCE_EXHAUSTED, and no file, if the disk hasn't the room.
  static absl::StatusOr<std::shared_ptr<Segment>> Make(const std::string& directory,
                                                       const std::string& name, uint64_t size,
                                                       SyncCall sync = &::fdatasync);
  // NOT_FOUND.
  static absl::StatusOr<std::shared_ptr<Segment>> Open(const std::string& directory,
                                                       const std::string& name,
                                                       SyncCall sync = &::fdatasync);

  const std::string& name() const { return name_; }

  // Offset, lengths and memory are multiples of kDiskBlockBytes. Blocks.
  absl::Status Write(uint64_t offset, const struct iovec* parts, int count);
  absl::Status Read(uint64_t offset, void* data, size_t size);
  // All writes that returned before this call are on stable storage when it returns: callers that
  // come while the disk is busy share the next sync, and one after which nothing was written costs
  // nothing. After an error every later call fails: the
  // kernel may have dropped what it failed to write.
  absl::Status Sync();
  bool failed();
  // Room for [offset, offset + size), where there is none yet. RESOURCE_EXHAUSTED.
  absl::Status Reserve(uint64_t offset, uint64_t size);
  // Gives what lies beyond `size` back to the file system.
  absl::Status Truncate(uint64_t size);

 private:
  Segment(std::string path, std::string name, Fd file, SyncCall sync)
      : path_(std::move(path)), name_(std::move(name)), file_(std::move(file)), sync_(sync) {}

  const std::string path_, name_;
  const Fd file_;
  const SyncCall sync_;

  std::mutex mutex_;
  std::condition_variable synced_;
  uint64_t asked_ = 0;   // syncs that were asked for
  uint64_t served_ = 0;  // the last of them that a sync has covered
  bool syncing_ = false;
  // What was there when the file was opened may be in the kernel's memory alone: a write, too.
  std::atomic<uint64_t> writes_{1};
  uint64_t writes_synced_ = 0;
  absl::Status failed_;
};

}  // namespace gleaner::cloud
