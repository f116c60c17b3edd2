// Owned file descriptors and the few durable operations that both sides need.
#pragma once

#include <unistd.h>

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

// Replaces `path` so that after any crash it holds the old or the new contents: temporary file,
// fsync, rename, fsync of the directory.
absl::Status WriteFileDurably(const std::string& path, std::string_view contents, int mode = 0600);

// Makes entries of a directory (creations, renames, deletions) durable.
absl::Status SyncDirectory(const std::string& path);

// mkdir -p with `mode` for what it creates, durably.
absl::Status MakeDirectories(const std::string& path, int mode = 0700);

// pread/pwrite until all of it is done; a short file is DATA_LOSS.
absl::Status ReadAt(int fd, void* data, size_t size, uint64_t offset);
absl::Status WriteAt(int fd, const void* data, size_t size, uint64_t offset);

}  // namespace gleaner
