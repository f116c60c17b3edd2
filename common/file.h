// Owned file descriptors and the few durable operations that both sides need.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gleaner {

// Owns one file descriptor. Movable, closes on destruction.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

// open(2) with O_CLOEXEC; the error names the path.
absl::StatusOr<Fd> OpenFile(const std::string& path, int flags, int mode = 0600);

// The whole of a file of at most `max_bytes`; RESOURCE_EXHAUSTED if it is longer.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

// The same of a file that nobody else should know: PERMISSION_DENIED, with the command that mends
// it, if every user of the machine may read or write it or its group may write it. That the group
// may read it is how a service's own user gets at what root put there.
absl::StatusOr<std::string> ReadSecret(const std::string& path, size_t max_bytes);

// Replaces `path` so that after any crash it holds the old or the new contents: temporary file,
// fsync, rename, fsync of the directory.
absl::Status WriteFileDurably(const std::string& path, std::string_view contents, int mode = 0600);

// Makes entries of a directory (creations, renames, deletions) durable.
absl::Status SyncDirectory(const std::string& path);

// mkdir -p with `mode` for what it creates, durably.
absl::Status MakeDirectories(const std::string& path, int mode = 0700);

// Takes all rights to `path` from its group and others, if there is such a file or folder.
absl::Status MakePrivate(const std::string& path);

struct DiskSpace {
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;  // for this process: what is kept for root doesn't count
};
// Of the file system that holds `path`; where there is none yet, of the one that would, by the
// nearest folder above it.
absl::StatusOr<DiskSpace> SpaceAt(const std::string& path);

// pread/pwrite until all of it is done; a short file is DATA_LOSS.
absl::Status ReadAt(int fd, void* data, size_t size, uint64_t offset);
absl::Status WriteAt(int fd, const void* data, size_t size, uint64_t offset);

}  // namespace gleaner
