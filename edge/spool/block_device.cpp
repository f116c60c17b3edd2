#include "edge/spool/block_device.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>

#include "common/file.h"
#include "common/status.h"
#include "edge/spool/kernel_aio.h"

namespace gleaner::edge {
namespace {

class EndedOne : public PendingIo {
 public:
  explicit EndedOne(absl::StatusOr<size_t> result) : result_(std::move(result)) {}
  bool Ended() override { return true; }
  absl::StatusOr<size_t> Wait() override { return result_; }

 private:
  const absl::StatusOr<size_t> result_;
};

class PosixBlockFile : public BlockFile {
 public:
  PosixBlockFile(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::unique_ptr<PendingIo> StartWrite(uint64_t offset, std::span<const uint8_t> data) override {
    if (auto started = aio_.StartWrite(fd_.get(), path_, offset, data)) return started;
    for (;;) {
      const ssize_t n = ::pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
      if (n >= 0) return EndedIo(static_cast<size_t>(n));
      if (errno != EINTR) {
        return EndedIo(ErrnoStatus(errno, fmt::format("write {} at {}", path_, offset)));
      }
    }
  }

  absl::StatusOr<size_t> ReadSome(uint64_t offset, std::span<uint8_t> data) override {
    for (;;) {
      const ssize_t n = ::pread(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
      if (n >= 0) return static_cast<size_t>(n);
      if (errno != EINTR) return ErrnoStatus(errno, fmt::format("read {} at {}", path_, offset));
    }
  }

  std::unique_ptr<PendingIo> StartSync() override {
    if (auto started = aio_.StartSync(fd_.get(), path_)) return started;
    if (::fdatasync(fd_.get()) == 0) return EndedIo(0);
    return EndedIo(ErrnoStatus(errno, fmt::format("fdatasync {}", path_)));
  }

  absl::StatusOr<uint64_t> Size() override {
    struct stat info;
    if (::fstat(fd_.get(), &info) != 0) return ErrnoStatus(errno, fmt::format("stat {}", path_));
    return static_cast<uint64_t>(info.st_size);
  }

  absl::Status Resize(uint64_t size_bytes) override {
    ASSIGN_OR_RETURN(const uint64_t old_size, Size());
    const absl::Status done =
        size_bytes < old_size ? Truncate(size_bytes) : Grow(old_size, size_bytes);
    // fallocate may have got part of the way before it ran out of room.
    if (!done.ok() && size_bytes > old_size) Truncate(old_size).IgnoreError();
    RETURN_IF_ERROR(done);
    if (::fsync(fd_.get()) != 0) return ErrnoStatus(errno, fmt::format("fsync {}", path_));
    return absl::OkStatus();
  }

 private:
  absl::Status Truncate(uint64_t size_bytes) {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size_bytes)) != 0) {
      return ErrnoStatus(errno, fmt::format("truncate {} to {}", path_, size_bytes));
    }
    return absl::OkStatus();
  }

  absl::Status Grow(uint64_t old_size, uint64_t size_bytes) {
    if (size_bytes == old_size) return absl::OkStatus();
    if (::fallocate(fd_.get(), 0, static_cast<off_t>(old_size),
                    static_cast<off_t>(size_bytes - old_size)) == 0) {
      return absl::OkStatus();
    }
    if (errno != EOPNOTSUPP) {
      return ErrnoStatus(errno, fmt::format("reserve {} bytes for {}", size_bytes, path_));
    }
    // A file system without fallocate: zeros take the room just as well.
    constexpr size_t kStep = 1 << 20;
    auto* zeros = static_cast<uint8_t*>(std::aligned_alloc(kBlockAlignment, kStep));
    if (zeros == nullptr) throw std::bad_alloc();
    std::fill_n(zeros, kStep, 0);
    absl::Status status;
    for (uint64_t at = old_size; at < size_bytes && status.ok(); at += kStep) {
      status = WriteAll(*this, at, {zeros, std::min<uint64_t>(kStep, size_bytes - at)});
    }
    std::free(zeros);
    return status;
  }

  const std::string path_;
  const Fd fd_;
  KernelAio aio_;
};

class PosixDevice : public BlockDevice {
 public:
  absl::StatusOr<std::unique_ptr<BlockFile>> Open(const std::string& path) override {
    auto fd = OpenFile(path, O_RDWR | O_CREAT | O_DIRECT);
    // EINVAL: the file system has no O_DIRECT.
    if (absl::IsInvalidArgument(fd.status())) fd = OpenFile(path, O_RDWR | O_CREAT);
    if (!fd.ok()) return fd.status();
    return std::make_unique<PosixBlockFile>(path, *std::move(fd));
  }
};

}  // namespace

BlockDevice& PosixBlockDevice() {
  static PosixDevice device;
  return device;
}

std::unique_ptr<PendingIo> EndedIo(absl::StatusOr<size_t> result) {
  return std::make_unique<EndedOne>(std::move(result));
}

absl::Status WriteAll(BlockFile& file, uint64_t offset, std::span<const uint8_t> data) {
  return FinishWrite(file, *file.StartWrite(offset, data), offset, data);
}

absl::Status FinishWrite(BlockFile& file, PendingIo& started, uint64_t offset,
                         std::span<const uint8_t> data) {
  ASSIGN_OR_RETURN(size_t n, started.Wait());
  while (n < data.size()) {
    n -= n % kBlockAlignment;
    if (n == 0) return absl::DataLossError(fmt::format("the disk takes no more at {}", offset));
    offset += n;
    data = data.subspan(n);
    ASSIGN_OR_RETURN(n, file.StartWrite(offset, data)->Wait());
  }
  return absl::OkStatus();
}

absl::Status ReadAll(BlockFile& file, uint64_t offset, std::span<uint8_t> data) {
  while (!data.empty()) {
    ASSIGN_OR_RETURN(size_t n, file.ReadSome(offset, data));
    n -= n < data.size() ? n % kBlockAlignment : 0;
    if (n == 0) return absl::DataLossError(fmt::format("the file ends at {}", offset));
    offset += n;
    data = data.subspan(n);
  }
  return absl::OkStatus();
}

}  // namespace gleaner::edge
