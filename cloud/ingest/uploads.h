// Uploads under way, and how they become clips.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/store/blob_names.h"
#include "cloud/store/object_store.h"
#include "common/clip_key.h"
#include "common/digest.h"
#include "gleaner/v1/clip.pb.h"
#include "gleaner/v1/ingest.pb.h"

namespace gleaner::cloud {

RoomTables UploadTables();

// A clip on its way in.
struct UploadRow {
  std::string device;
  ClipKey key;
  std::string manifest;
  Sha256Digest manifest_sha256{};
  // One an object, in the manifest's order, and one for the clip's description: where it is staged,
  // and what it will be called as an object. No keys where objects stay where they were staged.
  std::vector<BlobId> blobs;
  std::vector<ObjectKey> keys;
  uint64_t size_bytes = 0;  // of all objects
  int64_t begun_unix_ns = 0;
  // Begin has made it durable. One that comes to its end before anything of it was told needs no
  // row of its own: Commit writes all.
  bool begun = false;
};

struct UploadTotal {
  uint64_t count = 0;  // under way
  uint64_t bytes = 0;  // reserved for their objects, and for those of given up ones until these
                       // bytes are free
};

struct CommittedRow {
  Sha256Digest manifest_sha256{};
  int64_t committed_unix_ns = 0;
};

// One that was found whole in the store, by what it says of itself.
struct FoundClip {
  UploadRow upload;
  v1::ClipManifest manifest;
  int64_t committed_unix_ns = 0;
};

// Thread-safe; blocks. Errors as Database.
class Uploads {
 public:
  // `database` must outlive it.
  explicit Uploads(Database& database) : database_(database) {}

  absl::StatusOr<std::optional<CommittedRow>> FindCommitted(std::string_view device,
                                                            const ClipKey& key);
  absl::StatusOr<std::optional<UploadRow>> Find(std::string_view device, const ClipKey& key);
  // What unfinished uploads of a device hold, over all its streams and boots.
  absl::StatusOr<UploadTotal> Sum(std::string_view device);
  // Replaces an upload under way with the same key (its other blobs become rubbish).
  // ALREADY_EXISTS if the key is committed.
  absl::Status Begin(const UploadRow& upload);
  // The upload becomes a clip: manifest indexed, objects named (by their keys, and what was staged
  // for them no more), upload row gone, all in one transaction. OK without any change if exactly
  // this clip is committed already; FAILED_PRECONDITION if an upload that has begun is there no
  // more, or one that hasn't is there, or it has other blobs by now.
  absl::Status Commit(const UploadRow& upload, const v1::ClipManifest& manifest,
                      int64_t committed_unix_ns);
  // They become the catalog's, all in one transaction, as if Commit had been called for each at
  // its time; nothing changes where the catalog has a clip of that key.
  absl::Status Adopt(const std::vector<const FoundClip*>& clips);
  // Forgets an upload; its blobs become rubbish. OK if there is none.
  absl::Status Drop(std::string_view device, const ClipKey& key);
  // Forgets uploads that began before `unix_ns` and never ended: their devices are gone. How many.
  absl::StatusOr<uint64_t> DropBefore(int64_t unix_ns);
  // Same key, another manifest: see ledger.h.
  absl::Status RecordConflict(std::string_view device, const ClipKey& key,
                              const Sha256Digest& offered, int64_t unix_ns);
  // A number that no other server and no earlier run gave out; from 1.
  absl::StatusOr<uint64_t> NextLease();
  // See ledger.h; forgets uploads of numbers that the device no longer has.
  absl::Status ReportLedger(std::string_view device, const v1::ReportLedgerRequest& report,
                            v1::ReportLedgerResponse* response);

  // What another room writes in the transaction that commits a clip; may throw SqlError. Before
  // serving.
  using WithClip = std::function<void(Sql& sql, std::string_view device, std::string_view clip_id,
                                      int64_t committed_unix_ns)>;
  void WriteWithClip(WithClip write) { with_clip_.push_back(std::move(write)); }

 private:
  void AddClip(Sql& sql, uint64_t number, const UploadRow& upload, const v1::ClipManifest& manifest,
               int64_t committed_unix_ns);

  Database& database_;
  std::mutex lease_mutex_;
  uint64_t next_lease_ = 1;
  uint64_t lease_end_ = 1;  // leases below are reserved durably

  std::vector<WithClip> with_clip_;
};

}  // namespace gleaner::cloud
