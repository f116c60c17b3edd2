#include "cli/download.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "common/digest.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cli {
namespace {

constexpr size_t kReadBytes = 1 << 20;

// The digest of a file's first `size_bytes`, so far.
absl::StatusOr<Sha256> DigestOf(int fd, uint64_t size_bytes) {
  Sha256 hash;
  std::vector<char> buffer(kReadBytes);
  for (uint64_t at = 0; at < size_bytes;) {
    const size_t size = std::min<uint64_t>(buffer.size(), size_bytes - at);
    RETURN_IF_ERROR(ReadAt(fd, buffer.data(), size, at));
    hash.Update(buffer.data(), size);
    at += size;
  }
  return hash;
}

absl::StatusOr<uint64_t> SizeOf(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return ErrnoStatus(errno, "fstat");
  return static_cast<uint64_t>(info.st_size);
}

// Whether `path` holds just this; false where there is nothing. ALREADY_EXISTS for something else.
absl::StatusOr<bool> IsThere(const std::string& path, uint64_t size_bytes,
                             const std::string& sha256, bool overwrite) {
  const auto fd = OpenFile(path, O_RDONLY);
  if (absl::IsNotFound(fd.status())) return false;
  if (!fd.ok()) return fd.status();
  ASSIGN_OR_RETURN(const uint64_t size, SizeOf(fd->get()));
  if (size == size_bytes) {
    ASSIGN_OR_RETURN(Sha256 hash, DigestOf(fd->get(), size));
    if (AsBytes(hash.Finish()) == sha256) return true;
  }
  if (overwrite) return false;
  return absl::AlreadyExistsError(
      fmt::format("{} is there already and is something else; --force overwrites it", path));
}

}  // namespace

absl::StatusOr<Outcome> Fetch(Client& client, const Download& file, bool overwrite,
                              const std::function<void(uint64_t)>& progress) {
  ASSIGN_OR_RETURN(const bool there, IsThere(file.to, file.size_bytes, file.sha256, overwrite));
  if (there) return Outcome::kWasThere;
  const std::string partial = file.to + ".part";
  ASSIGN_OR_RETURN(const Fd out, OpenFile(partial, O_RDWR | O_CREAT | O_NOFOLLOW, 0644));
  if (::flock(out.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{} is being fetched by another command", partial));
  }
  ASSIGN_OR_RETURN(uint64_t done, SizeOf(out.get()));
  if (done > file.size_bytes) done = 0;
  const bool resumed = done > 0;
  ASSIGN_OR_RETURN(Sha256 hash, DigestOf(out.get(), done));
  absl::Status status;
  if (done < file.size_bytes) {
    absl::Status written;
    status = client.Get(file.from, done, [&](const char* data, size_t size) {
      if (size > file.size_bytes - done) {
        written = absl::DataLossError(file.to + " is longer than its manifest says");
        return false;
      }
      hash.Update(data, size);
      written = Annotate(WriteAt(out.get(), data, size, done), partial);
      done += size;
      if (progress) progress(done);
      return written.ok();
    });
    if (!written.ok()) status = written;
  }
  if (status.ok() && (done != file.size_bytes || AsBytes(hash.Finish()) != file.sha256)) {
    status = absl::DataLossError(fmt::format(
        "{} has another SHA-256 than its manifest says: it was changed on the way or in the store",
        file.to));
  }
  if (status.ok() && ::ftruncate(out.get(), static_cast<off_t>(done)) != 0) {
    status = ErrnoStatus(errno, partial);
  }
  if (status.ok() && ::rename(partial.c_str(), file.to.c_str()) != 0) {
    status = ErrnoStatus(errno, fmt::format("rename {}", partial));
  }
  // What is wrong would be wrong again; what broke off is gone on with.
  if (absl::IsDataLoss(status) || (!status.ok() && done == 0)) ::unlink(partial.c_str());
  // It may be what an earlier attempt has left that is wrong.
  if (absl::IsDataLoss(status) && resumed) return Fetch(client, file, overwrite, progress);
  if (!status.ok()) return status;
  return Outcome::kFetched;
}

absl::StatusOr<Outcome> Put(const std::string& path, const std::string& bytes, bool overwrite) {
  const std::string sha256(AsBytes(Sha256::Of(bytes)));
  ASSIGN_OR_RETURN(const bool there, IsThere(path, bytes.size(), sha256, overwrite));
  if (there) return Outcome::kWasThere;
  RETURN_IF_ERROR(WriteFileDurably(path, bytes, 0644));
  return Outcome::kFetched;
}

}  // namespace gleaner::cli
