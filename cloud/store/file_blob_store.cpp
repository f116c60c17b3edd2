#include "cloud/store/file_blob_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/digest.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

absl::Status OpenError(const absl::Status& status, const BlobId& id) {
  return absl::IsNotFound(status) ? absl::NotFoundError(fmt::format("no blob {}", id)) : status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileBlobStore>> FileBlobStore::Open(const std::string& directory,
                                                                   const FileBlobOptions& options) {
  RETURN_IF_ERROR(MakeDirectories(directory));
  auto store = std::unique_ptr<FileBlobStore>(new FileBlobStore(directory, options));
  ASSIGN_OR_RETURN(store->directory_, OpenFile(directory, O_RDONLY | O_DIRECTORY));
  return store;
}

FileBlobStore::~FileBlobStore() {
  std::lock_guard lock(mutex_);
  SealLocked();
}

absl::StatusOr<std::unique_ptr<BlobWriter>> FileBlobStore::Create(uint64_t size,
                                                                  uint64_t leave_free) {
  const uint64_t room = std::max(RoundUpToDiskBlock(size), kDiskBlockBytes);
  std::lock_guard lock(mutex_);
  if (active_ != nullptr && active_->failed()) SealLocked();
  const bool large = room > options_.segment_bytes / 4;
  if (active_ == nullptr || options_.segment_bytes - used_ < room) {
    if (large) return CreateAloneLocked(size, room, leave_free);
    auto next = MakeSegmentLocked(options_.segment_bytes, leave_free);
    // A disk that is nearly full may still have room for this one.
    if (absl::IsResourceExhausted(next.status())) return CreateAloneLocked(size, room, leave_free);
    if (!next.ok()) return next.status();
    SealLocked();
    active_ = *std::move(next);
  } else {
    RETURN_IF_ERROR(CheckRoom(0, leave_free));  // its room is reserved already
  }
  BlobPlace place{
      .segment = active_->name(), .offset = std::exchange(used_, used_ + room), .size = size};
  return MakeWriterLocked(std::move(place), active_);
}

absl::StatusOr<std::unique_ptr<BlobWriter>> FileBlobStore::Resume(const BlobId& id) {
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
  return MakeWriterLocked(std::move(place), std::move(segment));
}

absl::Status FileBlobStore::Read(const BlobId& id, uint64_t offset, uint64_t size,
                                 std::string* out) {
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

absl::StatusOr<ObjectKey> FileBlobStore::Put(const ObjectName&, std::string_view bytes) {
  ASSIGN_OR_RETURN(auto writer, Create(bytes.size(), 0));
  const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  absl::Status status = writer->WriteAt(0, &part, 1);
  if (status.ok()) status = writer->Sync();
  BlobId id = writer->id();
  writer.reset();
  if (status.ok()) return id;
  (void)Remove(id);
  return status;
}

absl::StatusOr<uint64_t> FileBlobStore::SizeOf(const ObjectKey& id) {
  BlobPlace place;
  RETURN_IF_ERROR(OpenAt(id, &place).status());
  return place.size;
}

absl::StatusOr<Fd> FileBlobStore::OpenCopy(const ObjectKey& id) {
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

absl::Status FileBlobStore::Remove(const BlobId& id) {
  ASSIGN_OR_RETURN(const BlobPlace place, PlaceOf(id));
  {
    std::lock_guard lock(mutex_);
    if (writing_.contains(id)) {
      return absl::FailedPreconditionError(fmt::format("blob {} is being written", id));
    }
  }
  // Also what was never written has room.
  const auto file = OpenFile(PathOf(place.segment), O_RDWR);
  if (absl::IsNotFound(file.status())) return absl::OkStatus();
  RETURN_IF_ERROR(file.status());
  RETURN_IF_ERROR(Punch(file->get(), place.offset, place.end(), place.segment));
  RemoveIfEmpty(file->get(), place.segment);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> FileBlobStore::FreeBytes() {
  if (options_.free_bytes) return options_.free_bytes();
  struct statvfs info;
  if (::fstatvfs(directory_.get(), &info) != 0) {
    return ErrnoStatus(errno, fmt::format("statvfs {}", path_));
  }
  return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
}

absl::StatusOr<Fd> FileBlobStore::OpenAt(const BlobId& id, BlobPlace* place) const {
  ASSIGN_OR_RETURN(*place, PlaceOf(id));
  auto file = OpenFile(PathOf(place->segment), O_RDONLY);
  if (!file.ok()) return OpenError(file.status(), id);
  const off_t data = ::lseek(file->get(), static_cast<off_t>(place->offset), SEEK_DATA);
  const bool none = data < 0 ? errno == ENXIO : static_cast<uint64_t>(data) >= place->end();
  if (none && place->size > 0) return OpenError(absl::NotFoundError(""), id);
  return file;
}

absl::Status FileBlobStore::CheckRoom(uint64_t bytes, uint64_t leave_free) {
  if (leave_free == 0) return absl::OkStatus();  // the disk itself says when it is full
  ASSIGN_OR_RETURN(const uint64_t free, FreeBytes());
  if (free >= bytes && free - bytes >= leave_free) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("{} has {} bytes free, of which {} are to stay free", path_, free, leave_free));
}

absl::StatusOr<std::shared_ptr<Segment>> FileBlobStore::MakeSegmentLocked(uint64_t bytes,
                                                                          uint64_t leave_free) {
  RETURN_IF_ERROR(CheckRoom(bytes, leave_free));
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

absl::StatusOr<std::unique_ptr<BlobWriter>> FileBlobStore::CreateAloneLocked(uint64_t size,
                                                                             uint64_t room,
                                                                             uint64_t leave_free) {
  ASSIGN_OR_RETURN(auto segment, MakeSegmentLocked(room, leave_free));
  BlobPlace place{.segment = segment->name(), .offset = 0, .size = size};
  return MakeWriterLocked(std::move(place), std::move(segment));
}

std::unique_ptr<BlobWriter> FileBlobStore::MakeWriterLocked(BlobPlace place,
                                                            std::shared_ptr<Segment> segment) {
  writing_.insert(place.id());
  FileBlobWriter::Owner& owner = *this;
  return std::make_unique<FileBlobWriter>(std::move(place), std::move(segment), pool_, owner);
}

// A segment whose sync failed is remembered: opened anew, it would look sound.
void FileBlobStore::OnFailedSync(const std::shared_ptr<Segment>& failed) {
  std::lock_guard lock(mutex_);
  failed_[failed->name()] = failed;
}

void FileBlobStore::OnWriterGone(const BlobId& id) {
  std::lock_guard lock(mutex_);
  writing_.erase(writing_.find(id));
}

void FileBlobStore::SealLocked() {
  if (active_ != nullptr) (void)active_->Truncate(used_);
  active_ = nullptr;
  used_ = 0;
}

bool FileBlobStore::InUseLocked(const std::string& segment) const {
  const auto found = open_.find(segment);
  const bool remembered = failed_.contains(segment);  // which keeps it open, and doesn't count
  return found != open_.end() && found->second.use_count() > (remembered ? 1 : 0);
}

}  // namespace gleaner::cloud
