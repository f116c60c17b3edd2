#include "cloud/store/loose_blobs.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "cloud/store/blob_place.h"
#include "common/crash_point.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr int kFolders = 256;
constexpr size_t kAtOnce = 512;
constexpr int kTries = 16;

std::string FolderOf(const std::string& blobs, int folder) {
  return fmt::format("{}/{:02x}", blobs, folder);
}

std::string PathOf(const std::string& blobs, const BlobId& id) {
  return fmt::format("{}/{}/{}", blobs, id.substr(0, 2), id);
}

// The same for a blob each time, so that an import that was cut short finds what it has linked. Of
// very many blobs, two may want one name: then the next.
std::string SegmentNameFor(const BlobId& id, int attempt) {
  if (attempt == 0) return id.substr(0, kSegmentNameLetters);
  return Hex(AsBytes(Sha256::Of(fmt::format("{}/{}", id, attempt)))).substr(0, kSegmentNameLetters);
}

// The blob's id as a segment of its own, which it then is.
absl::StatusOr<BlobId> Link(const std::string& blobs, const BlobId& id, const struct stat& info) {
  const std::string from = PathOf(blobs, id);
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const BlobPlace place{.segment = SegmentNameFor(id, attempt),
                          .offset = 0,
                          .size = static_cast<uint64_t>(info.st_size)};
    const std::string to = fmt::format("{}/{}", blobs, place.segment);
    if (::link(from.c_str(), to.c_str()) == 0) return place.id();
    if (errno != EEXIST) return ErrnoStatus(errno, fmt::format("link {} to {}", from, to));
    struct stat there;
    if (::stat(to.c_str(), &there) == 0 && there.st_ino == info.st_ino &&
        there.st_dev == info.st_dev) {
      return place.id();
    }
  }
  return absl::InternalError(fmt::format("no free name for {} in {}", from, blobs));
}

}  // namespace

absl::StatusOr<LooseBlobs> FindLooseBlobs(const std::string& blobs) {
  LooseBlobs found;
  for (int folder = 0; folder < kFolders && !found.any; ++folder) {
    const std::string path = FolderOf(blobs, folder);
    std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(path.c_str()), &::closedir);
    if (entries == nullptr && (errno == ENOENT || errno == ENOTDIR)) {
      if (folder == 0) return found;  // they were made all together
      continue;
    }
    if (entries == nullptr) return ErrnoStatus(errno, fmt::format("read {}", path));
    found.layout = true;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
    while (const dirent* entry = ::readdir(entries.get())) {
      found.any = found.any || PlaceOf(entry->d_name).ok();
    }
  }
  return found;
}

bool HasLooseBlob(const std::string& blobs, const BlobId& id) {
  return ::access(PathOf(blobs, id).c_str(), F_OK) == 0;
}

absl::StatusOr<uint64_t> ImportLooseBlobs(const std::string& blobs, BlobNames& names) {
  uint64_t imported = 0;
  std::vector<std::pair<BlobId, BlobId>> renamed;
  const auto commit = [&]() -> absl::Status {
    if (renamed.empty()) return absl::OkStatus();
    GLEANER_CRASH_POINT("import.linked");
    RETURN_IF_ERROR(SyncDirectory(blobs));
    RETURN_IF_ERROR(names.Rename(renamed));
    GLEANER_CRASH_POINT("import.renamed");
    imported += renamed.size();
    renamed.clear();
    return absl::OkStatus();
  };
  for (int folder = 0; folder < kFolders; ++folder) {
    ASSIGN_OR_RETURN(const std::vector<BlobId> ids, names.Find(fmt::format("{:02x}", folder)));
    for (const BlobId& id : ids) {
      struct stat info;
      if (::stat(PathOf(blobs, id).c_str(), &info) != 0) continue;
      ASSIGN_OR_RETURN(BlobId to, Link(blobs, id, info));
      renamed.emplace_back(id, std::move(to));
      if (renamed.size() == kAtOnce) RETURN_IF_ERROR(commit());
    }
  }
  RETURN_IF_ERROR(commit());
  return imported;
}

}  // namespace gleaner::cloud
