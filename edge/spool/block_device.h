// The little that the spool asks of a file system for its block data. Tests put one in its place
// that fails on command.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gleaner::edge {

// Memory, offsets and lengths of every transfer are multiples of this: what O_DIRECT asks for on
// any disk of today.
inline constexpr size_t kBlockAlignment = 4096;

// A write or a sync that a file has taken over. Belongs to one thread.
class PendingIo {
 public:
  // Waits, if nobody has.
  virtual ~PendingIo() = default;
  // Whether Wait would return at once, as far as can be told without waiting.
  virtual bool Ended() = 0;
  // How it ended, as pwrite(2) and fdatasync(2) say it: a write may have done less than it was
  // asked to, and says how much; a sync says 0.
  virtual absl::StatusOr<size_t> Wait() = 0;
};

// One open file. Thread-safe for transfers at different offsets. Outlives what is pending.
class BlockFile {
 public:
  virtual ~BlockFile() = default;
  // Hands a write over to the disk where the file system lets the caller go on meanwhile; elsewhere
  // it has ended on return. `data` stays as it is until the write has ended.
  virtual std::unique_ptr<PendingIo> StartWrite(uint64_t offset, std::span<const uint8_t> data) = 0;
  // As pread(2): may do less than it was asked to; 0 is the end of the file.
  virtual absl::StatusOr<size_t> ReadSome(uint64_t offset, std::span<uint8_t> data) = 0;
  // Once it has ended without an error, every write that had ended before is on stable storage.
  // After an error nothing is known about any write since the last success, and this file must not
  // be used again: the kernel reports a failed write-back once and then calls the pages clean.
  virtual std::unique_ptr<PendingIo> StartSync() = 0;
  virtual absl::StatusOr<uint64_t> Size() = 0;
  // Grows or shrinks to `size_bytes`, durably; what is added has its disk space reserved. A failure
  // leaves the old size.
  virtual absl::Status Resize(uint64_t size_bytes) = 0;
};

class BlockDevice {
 public:
  virtual ~BlockDevice() = default;
  // Opens a file for reading and writing and makes it (empty, mode 0600) if it isn't there.
  virtual absl::StatusOr<std::unique_ptr<BlockFile>> Open(const std::string& path) = 0;
};

// Real files: O_DIRECT where the file system has it, so that writing a clip neither fills the page
// cache nor waits for write-back of somebody else's pages, and asynchronously (kernel_aio.h) where
// the system has that; through the page cache elsewhere (tmpfs).
BlockDevice& PosixBlockDevice();

// One that has ended already.
std::unique_ptr<PendingIo> EndedIo(absl::StatusOr<size_t> result);
// All of it, or an error. A short transfer goes on at the last aligned offset that it reached.
absl::Status WriteAll(BlockFile& file, uint64_t offset, std::span<const uint8_t> data);
// The same for a write of `data` at `offset` that was started already.
absl::Status FinishWrite(BlockFile& file, PendingIo& started, uint64_t offset,
                         std::span<const uint8_t> data);
absl::Status ReadAll(BlockFile& file, uint64_t offset, std::span<uint8_t> data);

}  // namespace gleaner::edge
