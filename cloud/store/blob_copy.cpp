#include "cloud/store/blob_copy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "cloud/store/blob_place.h"
#include "cloud/store/segment.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint64_t kAtOnce = 1 << 20;

struct Found {
  BlobPlace place;
  Fd file;
};

absl::StatusOr<Found> Find(const std::string& blobs, const BlobId& id) {
  Found found;
  ASSIGN_OR_RETURN(found.place, PlaceOf(id));
  auto file = OpenFile(fmt::format("{}/{}", blobs, found.place.segment), O_RDONLY);
  const auto none = absl::NotFoundError(fmt::format("no blob {} in {}", id, blobs));
  if (absl::IsNotFound(file.status())) return none;
  RETURN_IF_ERROR(file.status());
  const off_t data = ::lseek(file->get(), static_cast<off_t>(found.place.offset), SEEK_DATA);
  if (data < 0 && errno != ENXIO) return ErrnoStatus(errno, fmt::format("seek in {}", blobs));
  if (data < 0 || static_cast<uint64_t>(data) >= found.place.end()) return none;
  found.file = *std::move(file);
  return found;
}

// By way of memory, where the kernel can't from one file system to the other.
absl::Status CopyThrough(const Found& from, int to, uint64_t offset, uint64_t size) {
  std::vector<char> buffer(std::min(size, kAtOnce));
  while (size > 0) {
    const uint64_t part = std::min<uint64_t>(size, buffer.size());
    RETURN_IF_ERROR(ReadAt(from.file.get(), buffer.data(), part, offset));
    RETURN_IF_ERROR(WriteAt(to, buffer.data(), part, offset));
    offset += part;
    size -= part;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status BlobCopy::Copy(const BlobId& id) {
  ASSIGN_OR_RETURN(const Found from, Find(from_, id));
  const std::string path = fmt::format("{}/{}", to_, from.place.segment);
  ASSIGN_OR_RETURN(const Fd to, OpenFile(path, O_RDWR | O_CREAT));
  touched_.insert(from.place.segment);
  auto at = static_cast<off_t>(from.place.offset);
  auto into = at;
  uint64_t left = from.place.size;
  while (left > 0) {
    const ssize_t n = ::copy_file_range(from.file.get(), &at, to.get(), &into, left, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
      return Annotate(CopyThrough(from, to.get(), static_cast<uint64_t>(at), left),
                      fmt::format("copy blob {} to {}", id, path));
    }
    if (n < 0) return DiskError(errno, fmt::format("copy blob {} to {}", id, path));
    if (n == 0) return absl::DataLossError(fmt::format("blob {} is cut short", id));
    left -= static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

absl::Status BlobCopy::Sync() {
  for (const std::string& segment : std::exchange(touched_, {})) {
    const std::string path = fmt::format("{}/{}", to_, segment);
    ASSIGN_OR_RETURN(const Fd file, OpenFile(path, O_RDWR));
    if (::fsync(file.get()) != 0) return DiskError(errno, fmt::format("fsync {}", path));
    (void)::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
  }
  return SyncDirectory(to_);
}

absl::StatusOr<Sha256Digest> DigestOfBlob(const std::string& blobs, const BlobId& id) {
  ASSIGN_OR_RETURN(const Found found, Find(blobs, id));
  Sha256 sha256;
  std::vector<char> buffer(std::min(found.place.size, kAtOnce));
  for (uint64_t at = 0; at < found.place.size;) {
    const uint64_t part = std::min<uint64_t>(found.place.size - at, buffer.size());
    RETURN_IF_ERROR(Annotate(ReadAt(found.file.get(), buffer.data(), part, found.place.offset + at),
                             fmt::format("blob {} in {}", id, blobs)));
    sha256.Update(buffer.data(), part);
    at += part;
  }
  return sha256.Finish();
}

bool HasBlob(const std::string& blobs, const BlobId& id) { return Find(blobs, id).ok(); }

}  // namespace gleaner::cloud
