#include "common/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <filesystem>

#include "common/status.h"

namespace gleaner {

absl::StatusOr<Fd> OpenFile(const std::string& path, int flags, int mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return ErrnoStatus(errno, fmt::format("open {}", path));
  return Fd(fd);
}

namespace {

absl::StatusOr<std::string> ReadAll(const Fd& fd, const std::string& path, size_t max_bytes) {
  std::string contents;
  char buffer[65536];
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, fmt::format("read {}", path));
    if (n == 0) return contents;
    contents.append(buffer, static_cast<size_t>(n));
    if (contents.size() > max_bytes) {
      return absl::ResourceExhaustedError(
          fmt::format("{} is longer than the {} bytes allowed", path, max_bytes));
    }
  }
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  ASSIGN_OR_RETURN(const Fd fd, OpenFile(path, O_RDONLY));
  return ReadAll(fd, path, max_bytes);
}

absl::StatusOr<std::string> ReadSecret(const std::string& path, size_t max_bytes) {
  ASSIGN_OR_RETURN(const Fd fd, OpenFile(path, O_RDONLY));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, fmt::format("stat {}", path));
  if ((info.st_mode & S_IRWXO) != 0) {
    return absl::PermissionDeniedError(fmt::format(
        "{} can be read or changed by every user of this machine: chmod o= {}", path, path));
  }
  if ((info.st_mode & S_IWGRP) != 0) {
    return absl::PermissionDeniedError(
        fmt::format("{} can be changed by its group: chmod g-w {}", path, path));
  }
  return ReadAll(fd, path, max_bytes);
}

absl::Status SyncDirectory(const std::string& path) {
  ASSIGN_OR_RETURN(Fd fd, OpenFile(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, fmt::format("fsync {}", path));
  return absl::OkStatus();
}

absl::Status WriteFileDurably(const std::string& path, std::string_view contents, int mode) {
  const std::string temporary = path + ".new";
  {
    ASSIGN_OR_RETURN(Fd fd, OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode));
    RETURN_IF_ERROR(Annotate(WriteAt(fd.get(), contents.data(), contents.size(), 0), temporary));
    if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, fmt::format("fsync {}", temporary));
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return ErrnoStatus(errno, fmt::format("rename {} to {}", temporary, path));
  }
  const auto parent = std::filesystem::path(path).parent_path();
  return SyncDirectory(parent.empty() ? "." : parent.string());
}

absl::Status MakeDirectories(const std::string& path, int mode) {
  std::string so_far;
  for (const auto& part : std::filesystem::path(path)) {
    so_far = (std::filesystem::path(so_far) / part).string();
    if (so_far.empty() || so_far == "/") continue;
    if (::mkdir(so_far.c_str(), static_cast<mode_t>(mode)) == 0) {
      const auto parent = std::filesystem::path(so_far).parent_path();
      RETURN_IF_ERROR(SyncDirectory(parent.empty() ? "." : parent.string()));
    } else if (errno != EEXIST) {
      return ErrnoStatus(errno, fmt::format("mkdir {}", so_far));
    }
  }
  std::error_code error;
  const bool is_directory = std::filesystem::is_directory(path, error);
  if (error) return ErrnoStatus(error.value(), path);
  if (!is_directory) {
    return absl::FailedPreconditionError(path + " is not a directory");
  }
  return absl::OkStatus();
}

absl::Status MakePrivate(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return ErrnoStatus(errno, fmt::format("stat {}", path));
  }
  const mode_t own = info.st_mode & (S_IRWXU | S_ISUID | S_ISGID | S_ISVTX);
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) == 0 || ::chmod(path.c_str(), own) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus(errno, fmt::format("chmod go= {}", path));
}

absl::StatusOr<DiskSpace> SpaceAt(const std::string& path) {
  std::error_code error;
  std::filesystem::path at = std::filesystem::absolute(path, error);
  struct statvfs disk {};
  while (::statvfs(at.c_str(), &disk) != 0) {
    const bool none = errno == ENOENT || errno == ENOTDIR;
    if (!none || at == at.parent_path()) return ErrnoStatus(errno, at.string());
    at = at.parent_path();
  }
  return DiskSpace{uint64_t{disk.f_blocks} * disk.f_frsize,
                   uint64_t{disk.f_bavail} * disk.f_frsize};
}

absl::Status ReadAt(int fd, void* data, size_t size, uint64_t offset) {
  auto* bytes = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t n = ::pread(fd, bytes, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, fmt::format("read at {}", offset));
    if (n == 0) return absl::DataLossError(fmt::format("file ends at {}", offset));
    bytes += n;
    size -= static_cast<size_t>(n);
    offset += static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

absl::Status WriteAt(int fd, const void* data, size_t size, uint64_t offset) {
  const auto* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::pwrite(fd, bytes, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, fmt::format("write at {}", offset));
    bytes += n;
    size -= static_cast<size_t>(n);
    offset += static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

}  // namespace gleaner
