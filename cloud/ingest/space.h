// Who may have room for one more upload, and until when it counts.
//
// An unfinished upload holds room from its offer until its clip is committed or its bytes are free
// again, whoever gave it up and however: while only memory knows of it, by a Hold; from its first
// progress on by its row in the catalog; once it is forgotten, because the device's ledger said
// so or for another reason, by rows of rubbish that go when the blobs are removed (rubbish.h).
// The next of the three begins before the last one ends, and whoever asks is noted in memory, in
// the order of asking, before the catalog is looked at: so a sum may count an upload twice for a
// moment and never too little, and of offers that race none sees less than those before it. What
// the disk must keep free is the blob store's to look at, with each blob that it makes.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/ingest/uploads.h"
#include "cloud/store/upload_staging.h"

namespace gleaner::cloud {

// Bounds on the unfinished uploads of one device; at least one is always let in.
struct SpaceOptions {
  uint64_t uploads_per_device = 0;
  uint64_t reserved_per_device = 0;  // bytes
};

// Thread-safe; outlives its holds.
class Space {
 public:
  // What an upload counts for while the catalog doesn't know it; given back with it.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept { *this = std::move(other); }
    Hold& operator=(Hold&& other) noexcept;
    ~Hold() { GiveBack(); }
    void GiveBack();
    // The bytes could not be freed: they count until the server starts again and finds them.
    void Abandon() { space_ = nullptr; }

   private:
    friend class Space;
    Hold(Space* space, std::string device, uint64_t bytes)
        : space_(space), device_(std::move(device)), bytes_(bytes) {}
    Space* space_ = nullptr;
    std::string device_;
    uint64_t bytes_ = 0;
  };

  Space(Uploads& uploads, const SpaceOptions& options) : uploads_(uploads), options_(options) {}

  // RESOURCE_EXHAUSTED when the device holds too much already. Reads the catalog.
  absl::StatusOr<Hold> Take(const std::string& device, uint64_t bytes);

 private:
  Uploads& uploads_;
  const SpaceOptions options_;
  std::mutex mutex_;
  std::map<std::string, UploadTotal> held_;  // by device
};

}  // namespace gleaner::cloud
