#include "cloud/frames/picture_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "common/status.h"

namespace gleaner::cloud {

absl::StatusOr<std::unique_ptr<PictureCache>> PictureCache::Open(const std::string& folder,
                                                                 uint64_t max_bytes) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (error) {
    return absl::UnavailableError(fmt::format("{} can't be emptied: {}", folder, error.message()));
  }
  RETURN_IF_ERROR(MakeDirectories(folder));
  return std::unique_ptr<PictureCache>(new PictureCache(folder, max_bytes));
}

std::optional<CachedPicture> PictureCache::Find(const std::string& key) {
  std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  const Entries::iterator entry = found->second;
  auto file = OpenFile(entry->path, O_RDONLY);
  if (!file.ok()) {  // somebody has tidied up
    RemoveLocked(entry);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return CachedPicture{std::make_shared<const Fd>(*std::move(file)), entry->size, entry->sha256};
}

absl::Status PictureCache::Put(const std::string& key, std::string_view bytes,
                               const Sha256Digest& sha256) {
  if (bytes.size() > max_bytes_) return absl::OkStatus();
  std::string path;
  {
    std::lock_guard lock(mutex_);
    if (by_key_.contains(key)) return absl::OkStatus();
    while (bytes_ + bytes.size() > max_bytes_ && !entries_.empty()) {
      RemoveLocked(std::prev(entries_.end()));
    }
    bytes_ += bytes.size();
    path = fmt::format("{}/{}.jpg", folder_, ++made_);
  }
  const auto file = OpenFile(path, O_WRONLY | O_CREAT | O_EXCL);
  absl::Status status = file.status();
  if (status.ok()) status = WriteAt(file->get(), bytes.data(), bytes.size(), 0);
  std::lock_guard lock(mutex_);
  if (!status.ok() || by_key_.contains(key)) {
    bytes_ -= bytes.size();
    ::unlink(path.c_str());
    return status;
  }
  entries_.push_front({key, path, bytes.size(), sha256});
  by_key_[key] = entries_.begin();
  return absl::OkStatus();
}

uint64_t PictureCache::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

void PictureCache::RemoveLocked(Entries::iterator entry) {
  ::unlink(entry->path.c_str());
  bytes_ -= entry->size;
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace gleaner::cloud
