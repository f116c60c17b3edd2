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
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "cloud/store/blob_place.h"
#include "cloud/store/blob_store.h"
#include "cloud/store/buffer_pool.h"
#include "cloud/store/file_blob_writer.h"
#include "cloud/store/segment.h"
#include "common/digest.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr time_t kSweepAgeSeconds = 3600;

absl::Status CheckStop(const std::stop_token& stop) {
  return stop.stop_requested() ? absl::CancelledError("the server is stopping") : absl::OkStatus();
}

class FileBlobStore : public BlobStore {
 public:
  static absl::StatusOr<std::unique_ptr<BlobStore>> Make(const std::string& directory,
                                                         const FileBlobOptions& options) {
    RETURN_IF_ERROR(MakeDirectories(directory));
    auto store = std::unique_ptr<FileBlobStore>(new FileBlobStore(directory, options));
    ASSIGN_OR_RETURN(store->directory_, OpenFile(directory, O_RDONLY | O_DIRECTORY));
    if (::faccessat(store->directory_.get(), "00", F_OK, 0) == 0) {
      return absl::FailedPreconditionError(fmt::format(
          "{} holds blobs of an older layout, a file each, which this program can't read: start "
          "with another data_dir",
          directory));
    }
    return store;
  }
  ~FileBlobStore() override {
    std::lock_guard lock(mutex_);
    SealLocked();
  }

  absl::StatusOr<std::unique_ptr<BlobWriter>> Create(uint64_t size) override {
    const uint64_t room = std::max(RoundUpToDiskBlock(size), kDiskBlockBytes);
    std::lock_guard lock(mutex_);
    if (active_ != nullptr && active_->failed()) SealLocked();
    const bool large = room > options_.segment_bytes / 4;
    if (active_ == nullptr || options_.segment_bytes - used_ < room) {
      if (large) return CreateAloneLocked(size, room);
      auto next = MakeSegmentLocked(options_.segment_bytes);
      // A disk that is nearly full may still have room for this one.
      if (absl::IsResourceExhausted(next.status())) return CreateAloneLocked(size, room);
      if (!next.ok()) return next.status();
      SealLocked();
      active_ = *std::move(next);
    }
    BlobPlace place{
        .segment = active_->name(), .offset = std::exchange(used_, used_ + room), .size = size};
    return MakeWriter(std::move(place), active_);
  }

  absl::StatusOr<std::unique_ptr<BlobWriter>> Resume(const BlobId& id) override {
    ASSIGN_OR_RETURN(BlobPlace place, PlaceOf(id));
    std::lock_guard lock(mutex_);
    std::shared_ptr<Segment> segment = open_[place.segment].lock();
    if (segment == nullptr) {
      auto opened = Segment::Open(path_, place.segment, options_.sync);
      if (!opened.ok()) {
        open_.erase(place.segment);
        return OpenError(opened.status(), id);
      }
      open_[place.segment] = segment = *std::move(opened);
    }
    // It may have been punched out.
    RETURN_IF_ERROR(segment->Reserve(place.offset, place.end() - place.offset));
    return MakeWriter(std::move(place), std::move(segment));
  }

  absl::Status Read(const BlobId& id, uint64_t offset, uint64_t size, std::string* out) override {
    BlobPlace place;
    ASSIGN_OR_RETURN(const Fd file, OpenAt(id, &place));
    if (offset > place.size || size > place.size - offset) {
      return absl::OutOfRangeError(
          fmt::format("blob {} has {} bytes, not {} from {}", id, place.size, size, offset));
    }
    out->resize(size);
    return Annotate(ReadAt(file.get(), out->data(), size, place.offset + offset),
                    fmt::format("blob {}", id));
  }

  absl::StatusOr<uint64_t> SizeOf(const BlobId& id) override {
    BlobPlace place;
    RETURN_IF_ERROR(OpenAt(id, &place).status());
    return place.size;
  }

  absl::StatusOr<Fd> Open(const BlobId& id) override {
    BlobPlace place;
    ASSIGN_OR_RETURN(const Fd file, OpenAt(id, &place));
    ASSIGN_OR_RETURN(const uint64_t free, FreeBytes());
    if (free < place.size + options_.copy_floor_bytes) {
      return absl::ResourceExhaustedError(
          fmt::format("{} has {} bytes free: too few for a copy of blob {}", path_, free, id));
    }
    // Nameless, and gone with its last descriptor; before the kernel has written it, mostly.
    ASSIGN_OR_RETURN(const Fd copy, OpenFile(path_, O_RDWR | O_TMPFILE));
    auto from = static_cast<off_t>(place.offset);
    for (uint64_t left = place.size; left > 0;) {
      const ssize_t n = ::copy_file_range(file.get(), &from, copy.get(), nullptr, left, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return DiskError(errno, fmt::format("copy blob {}", id));
      if (n == 0) return absl::DataLossError(fmt::format("blob {} is cut short", id));
      left -= static_cast<uint64_t>(n);
    }
    return OpenFile(fmt::format("/proc/self/fd/{}", copy.get()), O_RDONLY);
  }

  absl::Status Remove(const BlobId& id) override {
    ASSIGN_OR_RETURN(const BlobPlace place, PlaceOf(id));
    // Also what was never written has room.
    const auto file = OpenFile(PathOf(place.segment), O_RDWR);
    if (absl::IsNotFound(file.status())) return absl::OkStatus();
    RETURN_IF_ERROR(file.status());
    RETURN_IF_ERROR(Punch(file->get(), place.offset, place.end(), place.segment));
    RemoveIfEmpty(file->get(), place.segment);
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> Sweep(const NamedBlobs& named, const std::stop_token& stop) override {
    struct Rubbish {
      std::string segment;
      std::vector<std::pair<uint64_t, uint64_t>> runs;  // [begin, end), in bytes
    };
    std::vector<Rubbish> found;
    bool any_named = false, any_unnamed = false;
    ASSIGN_OR_RETURN(const std::vector<Listed> segments, List(stop));
    for (const Listed& segment : segments) {
      RETURN_IF_ERROR(CheckStop(stop));
      ASSIGN_OR_RETURN(const std::vector<BlobId> blobs, named(segment.name));
      any_named = any_named || !blobs.empty();
      any_unnamed = any_unnamed || (blobs.empty() && segment.has_data);
      if (!segment.quiet) continue;
      Rubbish rubbish{.segment = segment.name};
      uint64_t at = 0;
      for (const BlobId& id : blobs) {
        ASSIGN_OR_RETURN(const BlobPlace place, PlaceOf(id));
        if (place.offset > at) rubbish.runs.emplace_back(at, place.offset);
        at = std::max(at, place.end());
      }
      rubbish.runs.emplace_back(at, UINT64_MAX);
      found.push_back(std::move(rubbish));
    }
    if (any_unnamed && !any_named) {
      return absl::FailedPreconditionError(
          fmt::format("the catalogue names nothing of the {} files in {}: is it the right "
                      "catalogue? Nothing was removed",
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

  absl::StatusOr<uint64_t> FreeBytes() override {
    struct statvfs info;
    if (::fstatvfs(directory_.get(), &info) != 0) {
      return ErrnoStatus(errno, fmt::format("statvfs {}", path_));
    }
    return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  }

  uint64_t BytesInMemory() const override { return pool_.bytes_in_use(); }

 private:
  FileBlobStore(std::string path, const FileBlobOptions& options)
      : path_(std::move(path)), options_(options) {}

  std::string PathOf(const std::string& segment) const { return path_ + "/" + segment; }

  static absl::Status OpenError(const absl::Status& status, const BlobId& id) {
    return absl::IsNotFound(status) ? absl::NotFoundError(fmt::format("no blob {}", id)) : status;
  }

  // The segment that `id` lies in. NOT_FOUND also where none of its bytes are (any more).
  absl::StatusOr<Fd> OpenAt(const BlobId& id, BlobPlace* place) const {
    ASSIGN_OR_RETURN(*place, PlaceOf(id));
    auto file = OpenFile(PathOf(place->segment), O_RDONLY);
    if (!file.ok()) return OpenError(file.status(), id);
    const off_t data = ::lseek(file->get(), static_cast<off_t>(place->offset), SEEK_DATA);
    const bool none = data < 0 ? errno == ENXIO : static_cast<uint64_t>(data) >= place->end();
    if (none && place->size > 0) return OpenError(absl::NotFoundError(""), id);
    return file;
  }

  absl::StatusOr<std::shared_ptr<Segment>> MakeSegmentLocked(uint64_t bytes) {
    std::array<uint8_t, kSegmentNameLetters / 2> random;
    if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
      return absl::InternalError("no random numbers for a segment's name");
    }
    const std::string name = Hex({reinterpret_cast<const char*>(random.data()), random.size()});
    ASSIGN_OR_RETURN(auto segment, Segment::Make(path_, name, bytes, options_.sync));
    std::erase_if(open_, [](const auto& entry) { return entry.second.expired(); });
    open_[name] = segment;
    made_.insert(name);
    return segment;
  }

  absl::StatusOr<std::unique_ptr<BlobWriter>> CreateAloneLocked(uint64_t size, uint64_t room) {
    ASSIGN_OR_RETURN(auto segment, MakeSegmentLocked(room));
    BlobPlace place{.segment = segment->name(), .offset = 0, .size = size};
    return MakeWriter(std::move(place), std::move(segment));
  }

  // A segment whose sync failed is remembered: opened anew, it would look sound.
  std::unique_ptr<BlobWriter> MakeWriter(BlobPlace place, std::shared_ptr<Segment> segment) {
    return std::make_unique<FileBlobWriter>(std::move(place), std::move(segment), pool_,
                                            [this](const std::shared_ptr<Segment>& failed) {
                                              std::lock_guard lock(mutex_);
                                              failed_[failed->name()] = failed;
                                            });
  }

  // No more blobs go into the active segment; what it has left is given back. A crash leaves that
  // to the sweep.
  void SealLocked() {
    if (active_ != nullptr) (void)active_->Truncate(used_);
    active_ = nullptr;
    used_ = 0;
  }

  bool InUseLocked(const std::string& segment) const {
    const auto found = open_.find(segment);
    const bool remembered = failed_.contains(segment);  // which keeps it open, and doesn't count
    return found != open_.end() && found->second.use_count() > (remembered ? 1 : 0);
  }

  static absl::Status Punch(int file, uint64_t begin, uint64_t end, const std::string& segment) {
    if (::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(begin),
                    static_cast<off_t>(end - begin)) == 0) {
      return absl::OkStatus();
    }
    return DiskError(errno, fmt::format("free [{}, {}) of {}", begin, end, segment));
  }

  // Not synced: a removal that a crash undoes leaves rubbish, which a sweep finds.
  void RemoveIfEmpty(int file, const std::string& segment) {
    std::lock_guard lock(mutex_);
    struct stat info;
    if (InUseLocked(segment) || ::fstat(file, &info) != 0 || info.st_blocks != 0) return;
    ::unlink(PathOf(segment).c_str());
    made_.erase(segment);
    failed_.erase(segment);
  }

  struct Listed {
    std::string name;
    bool quiet;     // nobody writes there, nor is about to name what was written
    bool has_data;  // not only room
  };
  absl::StatusOr<std::vector<Listed>> List(const std::stop_token& stop) {
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

  const std::string path_;
  const FileBlobOptions options_;
  Fd directory_;
  BufferPool pool_;

  std::mutex mutex_;
  std::shared_ptr<Segment> active_;  // new blobs go here, from used_ on
  uint64_t used_ = 0;
  // Alive while anybody writes there, or failed_ keeps it.
  std::map<std::string, std::weak_ptr<Segment>> open_;
  std::map<std::string, std::shared_ptr<Segment>> failed_;
  std::set<std::string> made_;  // since the store was opened
};

}  // namespace

absl::StatusOr<std::unique_ptr<BlobStore>> OpenFileBlobStore(const std::string& directory,
                                                             const FileBlobOptions& options) {
  return FileBlobStore::Make(directory, options);
}

}  // namespace gleaner::cloud
