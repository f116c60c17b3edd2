// What is done with everything that lies in a blob folder: removing, sweeping, looking for what
// nothing names and for what clips say of themselves.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "cloud/store/clip_description.h"
#include "cloud/store/file_blob_store.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr time_t kSweepAgeSeconds = 3600;
constexpr uint64_t kScanBytes = 1 << 20;  // a multiple of kDiskBlockBytes

absl::Status CheckStop(const std::stop_token& stop) {
  return stop.stop_requested() ? absl::CancelledError("the server is stopping") : absl::OkStatus();
}

using Run = std::pair<uint64_t, uint64_t>;  // [begin, end), in bytes

// What lies between `blobs`, which are those of one segment in ascending order, and after them.
absl::StatusOr<std::vector<Run>> Between(const std::vector<BlobId>& blobs) {
  std::vector<Run> runs;
  uint64_t at = 0;
  for (const BlobId& id : blobs) {
    ASSIGN_OR_RETURN(const BlobPlace place, PlaceOf(id));
    if (place.offset > at) runs.emplace_back(at, place.offset);
    at = std::max(at, place.end());
  }
  runs.emplace_back(at, UINT64_MAX);
  return runs;
}

}  // namespace

absl::StatusOr<std::vector<BlobId>> FileBlobStore::Retire(const std::vector<BlobId>& ids) {
  ASSIGN_OR_RETURN(const Fd removing, LockForRemoving());
  std::vector<BlobId> removed;
  for (const BlobId& id : ids) {
    const absl::Status status = Remove(id);
    if (absl::IsFailedPrecondition(status)) continue;
    RETURN_IF_ERROR(status);
    removed.push_back(id);
  }
  return removed;
}

absl::StatusOr<uint64_t> FileBlobStore::Sweep(const NamedBlobs& named,
                                              const std::stop_token& stop) {
  struct Rubbish {
    std::string segment;
    std::vector<Run> runs;
  };
  std::vector<Rubbish> found;
  bool any_named = false, any_unnamed = false;
  ASSIGN_OR_RETURN(const Fd removing, LockForRemoving());
  ASSIGN_OR_RETURN(const std::vector<Listed> segments, List(stop));
  for (const Listed& segment : segments) {
    RETURN_IF_ERROR(CheckStop(stop));
    ASSIGN_OR_RETURN(const std::vector<BlobId> blobs, named(segment.name));
    any_named = any_named || !blobs.empty();
    any_unnamed = any_unnamed || (blobs.empty() && segment.has_data);
    if (!segment.quiet) continue;
    ASSIGN_OR_RETURN(std::vector<Run> runs, Between(blobs));
    found.push_back({segment.name, std::move(runs)});
  }
  if (any_unnamed && !any_named && !options_.can_be_sent_again) {
    return absl::FailedPreconditionError(
        fmt::format("the catalog names nothing of the {} files in {}: nothing was removed",
                    segments.size(), path_));
  }
  uint64_t freed = 0;
  for (const Rubbish& rubbish : found) {
    if (stop.stop_requested()) break;
    const auto file = OpenFile(PathOf(rubbish.segment), O_RDWR);
    if (absl::IsNotFound(file.status())) continue;
    RETURN_IF_ERROR(file.status());
    struct stat before, after;
    if (::fstat(file->get(), &before) != 0) {
      return ErrnoStatus(errno, fmt::format("stat {}", PathOf(rubbish.segment)));
    }
    for (const auto& [begin, end] : rubbish.runs) {
      const uint64_t last = std::min<uint64_t>(end, static_cast<uint64_t>(before.st_size));
      if (begin < last) RETURN_IF_ERROR(Punch(file->get(), begin, last, rubbish.segment));
    }
    if (::fstat(file->get(), &after) == 0 && after.st_blocks < before.st_blocks) {
      freed += static_cast<uint64_t>(before.st_blocks - after.st_blocks) * 512;
    }
    RemoveIfEmpty(file->get(), rubbish.segment);
  }
  return freed;
}

absl::StatusOr<std::vector<BlobId>> FileBlobStore::FindUnnamed(const NamedBlobs& named) {
  std::vector<BlobId> found;
  ASSIGN_OR_RETURN(const std::vector<Listed> segments, List({}));
  for (const Listed& segment : segments) {
    if (!segment.quiet || !segment.has_data) continue;
    ASSIGN_OR_RETURN(const std::vector<BlobId> blobs, named(segment.name));
    ASSIGN_OR_RETURN(const std::vector<Run> runs, Between(blobs));
    ASSIGN_OR_RETURN(const Fd file, OpenFile(PathOf(segment.name), O_RDONLY));
    for (const auto& [begin, end] : runs) {
      for (uint64_t at = begin; at < end;) {
        const off_t data = ::lseek(file.get(), static_cast<off_t>(at), SEEK_DATA);
        if (data < 0 && errno == ENXIO) break;
        if (data < 0) return ErrnoStatus(errno, fmt::format("seek {}", PathOf(segment.name)));
        const off_t hole = ::lseek(file.get(), data, SEEK_HOLE);
        if (hole < 0) return ErrnoStatus(errno, fmt::format("seek {}", PathOf(segment.name)));
        if (static_cast<uint64_t>(data) >= end) break;
        const uint64_t first = static_cast<uint64_t>(data) / kDiskBlockBytes * kDiskBlockBytes;
        const uint64_t last = std::min(end, static_cast<uint64_t>(hole));
        found.push_back(BlobPlace{segment.name, first, last - first}.id());
        at = RoundUpToDiskBlock(last);
      }
    }
  }
  return found;
}

absl::Status FileBlobStore::FindDescriptions(
    const std::function<absl::Status(const ObjectKey& at, std::string_view bytes)>& each) {
  ASSIGN_OR_RETURN(const std::vector<Listed> segments, List({}));
  std::string piece, description;
  for (const Listed& segment : segments) {
    if (!segment.has_data) continue;
    ASSIGN_OR_RETURN(const Fd file, OpenFile(PathOf(segment.name), O_RDONLY));
    struct stat info;
    if (::fstat(file.get(), &info) != 0) {
      return ErrnoStatus(errno, fmt::format("stat {}", PathOf(segment.name)));
    }
    const auto end = static_cast<uint64_t>(info.st_size);
    for (uint64_t at = 0; at < end; at += piece.size()) {
      const off_t data = ::lseek(file.get(), static_cast<off_t>(at), SEEK_DATA);
      if (data < 0) break;  // holes to the end
      at = static_cast<uint64_t>(data) / kDiskBlockBytes * kDiskBlockBytes;
      piece.resize(std::min(kScanBytes, end - at));
      RETURN_IF_ERROR(Annotate(ReadAt(file.get(), piece.data(), piece.size(), at), segment.name));
      for (size_t block = 0; block < piece.size(); block += kDiskBlockBytes) {
        const size_t size = DescriptionBytes(std::string_view(piece).substr(block));
        if (size == 0 || size > end - at - block) continue;
        description.resize(size);
        RETURN_IF_ERROR(
            Annotate(ReadAt(file.get(), description.data(), size, at + block), segment.name));
        RETURN_IF_ERROR(each(BlobPlace{segment.name, at + block, size}.id(), description));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Fd> FileBlobStore::LockForRemoving() const {
  ASSIGN_OR_RETURN(Fd lock, OpenFile(path_, O_RDONLY | O_DIRECTORY));
  if (::flock(lock.get(), LOCK_SH | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return ErrnoStatus(errno, fmt::format("lock {}", path_));
  return absl::UnavailableError(
      fmt::format("a backup of {} is being made: nothing is removed until it is done", path_));
}

absl::Status FileBlobStore::Punch(int file, uint64_t begin, uint64_t end,
                                  const std::string& segment) {
  if (::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(begin),
                  static_cast<off_t>(end - begin)) == 0) {
    return absl::OkStatus();
  }
  return DiskError(errno, fmt::format("free [{}, {}) of {}", begin, end, segment));
}

void FileBlobStore::RemoveIfEmpty(int file, const std::string& segment) {
  std::lock_guard lock(mutex_);
  struct stat info;
  if (InUseLocked(segment) || ::fstat(file, &info) != 0 || info.st_blocks != 0) return;
  ::unlink(PathOf(segment).c_str());
  made_.erase(segment);
  failed_.erase(segment);
}

absl::StatusOr<std::vector<FileBlobStore::Listed>> FileBlobStore::List(
    const std::stop_token& stop) {
  std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(path_.c_str()), &::closedir);
  if (entries == nullptr) return ErrnoStatus(errno, fmt::format("read {}", path_));
  const time_t before = ::time(nullptr) - kSweepAgeSeconds;
  std::vector<Listed> segments;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
  while (const dirent* entry = ::readdir(entries.get())) {
    RETURN_IF_ERROR(CheckStop(stop));
    const std::string name = entry->d_name;
    if (!IsSegmentName(name)) continue;
    const auto file = OpenFile(PathOf(name), O_RDONLY);
    struct stat info;
    if (!file.ok() || ::fstat(file->get(), &info) != 0) continue;  // gone meanwhile
    std::lock_guard lock(mutex_);
    const bool quiet = !InUseLocked(name) && (!made_.contains(name) || info.st_mtime < before);
    segments.push_back({name, quiet, ::lseek(file->get(), 0, SEEK_DATA) >= 0});
  }
  return segments;
}

absl::StatusOr<Fd> HoldRemovals(const std::string& directory) {
  ASSIGN_OR_RETURN(Fd lock, OpenFile(directory, O_RDONLY | O_DIRECTORY));
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return ErrnoStatus(errno, fmt::format("lock {}", directory));
  }
  return lock;
}

}  // namespace gleaner::cloud
