#include "cloud/store/segment.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <vector>

#include "cloud/store/blob_place.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// EINVAL: the file system has no O_DIRECT.
absl::StatusOr<Fd> OpenDirect(const std::string& path, int flags) {
  auto file = OpenFile(path, flags | O_DIRECT);
  if (absl::IsInvalidArgument(file.status())) {
    // Some make the file before they refuse.
    file = OpenFile(path, flags & ~O_EXCL);
  }
  return file;
}

}  // namespace

absl::Status DiskError(int error, std::string_view what) {
  const absl::Status status = ErrnoStatus(error, what);
  return error == ENOSPC || error == EDQUOT ? absl::ResourceExhaustedError(status.message())
                                            : status;
}

absl::StatusOr<std::shared_ptr<Segment>> Segment::Make(const std::string& directory,
                                                       const std::string& name, uint64_t size,
                                                       SyncCall sync) {
  const std::string path = directory + "/" + name;
  ASSIGN_OR_RETURN(Fd file, OpenDirect(path, O_RDWR | O_CREAT | O_EXCL));
  auto segment = std::shared_ptr<Segment>(new Segment(path, name, std::move(file), sync));
  absl::Status made = segment->Reserve(0, size);
  if (made.ok() && ::fsync(segment->file_.get()) != 0) {
    made = DiskError(errno, fmt::format("fsync {}", path));
  }
  if (made.ok()) made = SyncDirectory(directory);
  if (made.ok()) return segment;
  ::unlink(path.c_str());
  return made;
}

absl::StatusOr<std::shared_ptr<Segment>> Segment::Open(const std::string& directory,
                                                       const std::string& name, SyncCall sync) {
  const std::string path = directory + "/" + name;
  ASSIGN_OR_RETURN(Fd file, OpenDirect(path, O_RDWR));
  return std::shared_ptr<Segment>(new Segment(path, name, std::move(file), sync));
}

absl::Status Segment::Write(uint64_t offset, const struct iovec* parts, int count) {
  std::vector<iovec> left(parts, parts + count);
  size_t first = 0;
  while (first < left.size()) {
    const ssize_t n = ::pwritev(file_.get(), left.data() + first,
                                static_cast<int>(left.size() - first), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return DiskError(errno, fmt::format("write {} at {}", path_, offset));
    // A short write goes on at the last block that it reached.
    auto done = static_cast<size_t>(n);
    while (first < left.size() && done >= left[first].iov_len) {
      done -= left[first].iov_len;
      offset += left[first++].iov_len;
    }
    done -= done % kDiskBlockBytes;
    if (n == 0) return absl::DataLossError(fmt::format("{} takes no more at {}", path_, offset));
    if (first < left.size()) {
      left[first].iov_base = static_cast<char*>(left[first].iov_base) + done;
      left[first].iov_len -= done;
      offset += done;
    }
  }
  ++writes_;
  return absl::OkStatus();
}

absl::Status Segment::Read(uint64_t offset, void* data, size_t size) {
  return Annotate(ReadAt(file_.get(), data, size, offset), path_);
}

absl::Status Segment::Sync() {
  std::unique_lock lock(mutex_);
  RETURN_IF_ERROR(failed_);
  if (writes_synced_ == writes_) return absl::OkStatus();
  const uint64_t mine = ++asked_;
  while (served_ < mine) {
    RETURN_IF_ERROR(failed_);
    if (syncing_) {
      synced_.wait(lock);
      continue;
    }
    syncing_ = true;
    const uint64_t covers = asked_, writes = writes_;
    lock.unlock();
    const int error = sync_(file_.get()) == 0 ? 0 : errno;
    lock.lock();
    syncing_ = false;
    if (error == 0) {
      served_ = covers;
      writes_synced_ = writes;
    } else {
      failed_ = DiskError(error, fmt::format("fdatasync {}", path_));
    }
    synced_.notify_all();
  }
  return absl::OkStatus();
}

bool Segment::failed() {
  std::lock_guard lock(mutex_);
  return !failed_.ok();
}

absl::Status Segment::Reserve(uint64_t offset, uint64_t size) {
  int result = 0;
  do {
    result = ::fallocate(file_.get(), 0, static_cast<off_t>(offset), static_cast<off_t>(size));
  } while (result != 0 && errno == EINTR);
  if (result == 0) return absl::OkStatus();
  return DiskError(errno, fmt::format("reserve {} bytes of {}", size, path_));
}

absl::Status Segment::Truncate(uint64_t size) {
  if (::ftruncate(file_.get(), static_cast<off_t>(size)) == 0) return absl::OkStatus();
  return DiskError(errno, fmt::format("truncate {} to {}", path_, size));
}

}  // namespace gleaner::cloud
