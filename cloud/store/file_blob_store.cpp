#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <vector>

#include "cloud/store/blob_store.h"
#include "common/digest.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kIdLetters = 32;
constexpr int kFolders = 256;
constexpr time_t kSweepAgeSeconds = 3600;

bool IsBlobId(std::string_view id) {
  return id.size() == kIdLetters &&
         id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

absl::Status CheckId(const BlobId& id) {
  return IsBlobId(id) ? absl::OkStatus()
                      : absl::InvalidArgumentError(fmt::format("\"{}\" is no blob's name", id));
}

int FolderOf(const BlobId& id) { return std::stoi(id.substr(0, 2), nullptr, 16); }
std::string FolderName(int folder) { return fmt::format("{:02x}", folder); }

// ENOSPC and EDQUOT by the name the interface promises.
absl::Status WriteError(int error, std::string_view what) {
  const absl::Status status = ErrnoStatus(error, what);
  return error == ENOSPC || error == EDQUOT ? absl::ResourceExhaustedError(status.message())
                                            : status;
}

absl::Status CheckStop(const std::stop_token& stop) {
  return stop.stop_requested() ? absl::CancelledError("the server is stopping") : absl::OkStatus();
}

class FileBlobWriter : public BlobWriter {
 public:
  // `folder` outlives the writer. `folder_synced`: the directory entry is known to be durable.
  FileBlobWriter(BlobId id, Fd file, int folder, bool folder_synced)
      : id_(std::move(id)),
        file_(std::move(file)),
        folder_(folder),
        folder_synced_(folder_synced) {}

  const BlobId& id() const override { return id_; }

  absl::Status WriteAt(uint64_t offset, const struct iovec* parts, int count) override {
    RETURN_IF_ERROR(failed_);
    std::vector<iovec> left(parts, parts + count);
    size_t first = 0;
    while (first < left.size()) {
      const int batch = static_cast<int>(std::min<size_t>(left.size() - first, IOV_MAX));
      const ssize_t n =
          ::pwritev(file_.get(), left.data() + first, batch, static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return WriteError(errno, fmt::format("write blob {} at {}", id_, offset));
      offset += static_cast<uint64_t>(n);
      size_t done = static_cast<size_t>(n);
      while (first < left.size() && done >= left[first].iov_len) done -= left[first++].iov_len;
      if (first < left.size()) {
        left[first].iov_base = static_cast<char*>(left[first].iov_base) + done;
        left[first].iov_len -= done;
      }
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    RETURN_IF_ERROR(failed_);
    if (::fdatasync(file_.get()) != 0) {
      return failed_ = WriteError(errno, fmt::format("fdatasync blob {}", id_));
    }
    if (!folder_synced_) {
      if (::fsync(folder_) != 0) {
        return failed_ = WriteError(errno, fmt::format("fsync the folder of blob {}", id_));
      }
      folder_synced_ = true;
    }
    return absl::OkStatus();
  }

 private:
  const BlobId id_;
  Fd file_;
  const int folder_;
  bool folder_synced_;
  absl::Status failed_;
};

class FileBlobStore : public BlobStore {
 public:
  static absl::StatusOr<std::unique_ptr<BlobStore>> Make(const std::string& directory) {
    RETURN_IF_ERROR(MakeDirectories(directory));
    auto store = std::unique_ptr<FileBlobStore>(new FileBlobStore);
    store->directory_ = directory;
    ASSIGN_OR_RETURN(store->root_, OpenFile(directory, O_RDONLY | O_DIRECTORY));
    for (int i = 0; i < kFolders; ++i) {
      const std::string path = directory + "/" + FolderName(i);
      if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return ErrnoStatus(errno, fmt::format("mkdir {}", path));
      }
      ASSIGN_OR_RETURN(store->folders_[static_cast<size_t>(i)],
                       OpenFile(path, O_RDONLY | O_DIRECTORY));
    }
    // Once, so that no blob's Sync needs to think of its folder's own entry.
    if (::fsync(store->root_.get()) != 0) {
      return ErrnoStatus(errno, fmt::format("fsync {}", directory));
    }
    return store;
  }

  absl::StatusOr<std::unique_ptr<BlobWriter>> Create(uint64_t size) override {
    std::array<uint8_t, kIdLetters / 2> random;
    if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
      return absl::InternalError("no random numbers for a blob's name");
    }
    BlobId id = Hex({reinterpret_cast<const char*>(random.data()), random.size()});
    const int folder = Folder(id);
    Fd file(::openat(folder, id.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.valid()) return WriteError(errno, fmt::format("create blob {}", id));
    int reserved = 0;
    do {
      reserved = ::fallocate(file.get(), 0, 0, static_cast<off_t>(size));
    } while (reserved != 0 && errno == EINTR);
    if (reserved != 0) {
      const int error = errno;
      ::unlinkat(folder, id.c_str(), 0);
      return WriteError(error, fmt::format("reserve {} bytes for a blob", size));
    }
    return std::make_unique<FileBlobWriter>(std::move(id), std::move(file), folder,
                                            /*folder_synced=*/false);
  }

  absl::StatusOr<std::unique_ptr<BlobWriter>> Resume(const BlobId& id) override {
    RETURN_IF_ERROR(CheckId(id));
    Fd file(::openat(Folder(id), id.c_str(), O_RDWR | O_CLOEXEC));
    if (!file.valid()) return OpenError(errno, id);
    // Whether an earlier run came to sync the folder isn't known: the next Sync does it again.
    return std::make_unique<FileBlobWriter>(id, std::move(file), Folder(id),
                                            /*folder_synced=*/false);
  }

  absl::Status Read(const BlobId& id, uint64_t offset, uint64_t size, std::string* out) override {
    ASSIGN_OR_RETURN(Fd file, Open(id));
    struct stat info;
    if (::fstat(file.get(), &info) != 0) return ErrnoStatus(errno, fmt::format("stat blob {}", id));
    const auto length = static_cast<uint64_t>(info.st_size);
    if (offset > length || size > length - offset) {
      return absl::OutOfRangeError(
          fmt::format("blob {} has {} bytes, not {} from {}", id, length, size, offset));
    }
    out->resize(size);
    return Annotate(ReadAt(file.get(), out->data(), size, offset), fmt::format("blob {}", id));
  }

  absl::StatusOr<Fd> Open(const BlobId& id) override {
    RETURN_IF_ERROR(CheckId(id));
    Fd file(::openat(Folder(id), id.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return OpenError(errno, id);
    return file;
  }

  absl::Status Remove(const BlobId& id) override {
    RETURN_IF_ERROR(CheckId(id));
    // Not synced: a removal that a crash undoes leaves rubbish, which a sweep finds.
    if (::unlinkat(Folder(id), id.c_str(), 0) != 0 && errno != ENOENT) {
      return ErrnoStatus(errno, fmt::format("remove blob {}", id));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Sweep(const std::function<bool(const BlobId&)>& is_named,
                                 const std::stop_token& stop) override {
    std::vector<BlobId> unnamed;
    bool any_named = false;
    for (int i = 0; i < kFolders; ++i) {
      ASSIGN_OR_RETURN(const std::vector<BlobId> old, OldBlobs(i, stop));
      for (const BlobId& id : old) {
        RETURN_IF_ERROR(CheckStop(stop));
        if (is_named(id)) {
          any_named = true;
        } else {
          unnamed.push_back(id);
        }
      }
    }
    if (!unnamed.empty() && !any_named) {
      return absl::FailedPreconditionError(fmt::format(
          "the catalogue names none of the {} objects in {}: is it the right catalogue? Nothing "
          "was removed",
          unnamed.size(), directory_));
    }
    uint64_t removed = 0;
    for (const BlobId& id : unnamed) {
      if (stop.stop_requested()) break;
      RETURN_IF_ERROR(Remove(id));
      ++removed;
    }
    return removed;
  }

  absl::StatusOr<uint64_t> FreeBytes() override {
    struct statvfs info;
    if (::fstatvfs(root_.get(), &info) != 0) {
      return ErrnoStatus(errno, fmt::format("statvfs {}", directory_));
    }
    return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  }

 private:
  FileBlobStore() = default;

  int Folder(const BlobId& id) const { return folders_[static_cast<size_t>(FolderOf(id))].get(); }

  static absl::Status OpenError(int error, const BlobId& id) {
    return error == ENOENT ? absl::NotFoundError(fmt::format("no blob {}", id))
                           : ErrnoStatus(error, fmt::format("open blob {}", id));
  }

  absl::StatusOr<std::vector<BlobId>> OldBlobs(int folder, const std::stop_token& stop) {
    const std::string path = directory_ + "/" + FolderName(folder);
    std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(path.c_str()), &::closedir);
    if (entries == nullptr) return ErrnoStatus(errno, fmt::format("read {}", path));
    const time_t before = ::time(nullptr) - kSweepAgeSeconds;
    std::vector<BlobId> old;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
    while (const dirent* entry = ::readdir(entries.get())) {
      RETURN_IF_ERROR(CheckStop(stop));
      struct stat info;
      if (!IsBlobId(entry->d_name) ||
          ::fstatat(::dirfd(entries.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        continue;  // not ours, or gone meanwhile
      }
      if (info.st_mtime < before) old.emplace_back(entry->d_name);
    }
    return old;
  }

  std::string directory_;
  Fd root_;
  std::array<Fd, kFolders> folders_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<BlobStore>> OpenFileBlobStore(const std::string& directory) {
  return FileBlobStore::Make(directory);
}

}  // namespace gleaner::cloud
