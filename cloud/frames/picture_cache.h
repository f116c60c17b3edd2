// A folder with the pictures that were asked for last, bounded by their bytes.
//
// It is a cache and nothing else: it begins empty with each start, so nothing that a crash left
// half-written is ever served, and nothing in it is synced. What lies there under which name is
// known here alone.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/digest.h"
#include "common/file.h"

namespace gleaner::cloud {

// Stays readable while somebody holds it.
struct CachedPicture {
  std::shared_ptr<const Fd> file;
  uint64_t size = 0;
  Sha256Digest sha256{};
};

// Thread-safe.
class PictureCache {
 public:
  // Makes the folder, which is its own, and empties it.
  static absl::StatusOr<std::unique_ptr<PictureCache>> Open(const std::string& folder,
                                                            uint64_t max_bytes);

  // Nothing where it isn't there (any more).
  std::optional<CachedPicture> Find(const std::string& key);
  // In the place of those that nobody has asked for longest. An error (a full disk) changes
  // nothing; one that is larger than the whole folder may be isn't kept.
  absl::Status Put(const std::string& key, std::string_view bytes, const Sha256Digest& sha256);

  uint64_t bytes() const;

 private:
  struct Entry {
    std::string key;
    std::string path;
    uint64_t size;
    Sha256Digest sha256;
  };
  using Entries = std::list<Entry>;

  PictureCache(std::string folder, uint64_t max_bytes)
      : folder_(std::move(folder)), max_bytes_(max_bytes) {}
  void RemoveLocked(Entries::iterator entry);

  const std::string folder_;
  const uint64_t max_bytes_;
  mutable std::mutex mutex_;
  uint64_t made_ = 0;  // names files
  uint64_t bytes_ = 0;
  Entries entries_;  // asked for last first
  std::unordered_map<std::string, Entries::iterator> by_key_;
};

}  // namespace gleaner::cloud
