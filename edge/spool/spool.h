// The spool: where clips live between the moment they happen and the receipt that says the cloud
// has them.
//
// (Draft of the interface; the room's owner completes this page: invariants, on-disk layout, order
// of writes, crash cases.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clip_key.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/digest.h"
#include "gleaner/v1/ingest.pb.h"

namespace gleaner::edge {

struct SpoolOptions {
  std::string directory;              // holds spool.blocks and spool.db
  uint64_t quota_bytes = 2ull << 30;  // allocated in full when the spool is made
  // What to do when no block is free: "evict" the least valuable, oldest clip that isn't being
  // uploaded, or "stop": new clips fail until there is room.
  std::string when_full = "evict";
  // Clips that wait longer than this end EXPIRED; 0: never.
  int64_t max_age_ns = 0;

  static SpoolOptions Read(ConfigReader& reader);
};

// One object of a clip at rest.
struct StoredObject {
  uint64_t size_bytes = 0;
  Sha256Digest sha256{};
  std::vector<uint64_t> block_xxh3;
  std::vector<uint32_t> blocks;  // in spool.blocks; empty when inline
  std::string inline_bytes;      // objects under 64 KiB
};

struct StoredClip {
  ClipKey key;
  uint32_t priority = 0;
  std::string manifest;  // serialized ClipManifest
  Sha256Digest manifest_sha256{};
  std::vector<StoredObject> objects;  // in the manifest's order
  int64_t committed_wall_ns = 0;
};

struct SpoolStats {
  uint64_t quota_bytes = 0;
  uint64_t used_bytes = 0;
  uint32_t pending_clips = 0;
  uint64_t pending_bytes = 0;
  uint64_t oldest_pending_s = 0;
  uint64_t committed_total = 0, evicted_total = 0, expired_total = 0, suppressed_total = 0,
           failed_total = 0;
  uint32_t quarantined = 0;
};

// Writes one object, in order, as it comes into being; keeps one block in memory. Used by one
// thread.
class ObjectWriter {
 public:
  virtual ~ObjectWriter() = default;
  // RESOURCE_EXHAUSTED when the spool is full and nothing may be evicted. After an error the object
  // is lost.
  virtual absl::Status Append(std::span<const uint8_t> bytes) = 0;
  // No more bytes: the last block is written. Then the fields below are final.
  virtual absl::Status Finish() = 0;
  virtual uint64_t size_bytes() const = 0;
  virtual const Sha256Digest& sha256() const = 0;
  virtual const std::vector<uint64_t>& block_xxh3() const = 0;
};

// A clip on its way in. Dropping it uncommitted frees its blocks and leaves its number CAPTURING:
// call Spool::Fail, or the next start does.
class ClipWriter {
 public:
  virtual ~ClipWriter() = default;
  virtual std::unique_ptr<ObjectWriter> NewObject() = 0;
  // Takes finished objects in the manifest's order. On return the clip is on stable storage and
  // Next() can hand it out.
  virtual absl::Status Commit(std::string manifest,
                              std::vector<std::unique_ptr<ObjectWriter>> objects) = 0;
};

// Thread-safe.
class Spool {
 public:
  // Opens the spool, or makes it. Checks the ledger, fails numbers that a crash left CAPTURING
  // ("daemon stopped while capturing"), quarantines torn clips. A ledger that can't be read is set
  // aside with a new one in its place, and that is logged and counted: the daemon always starts.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(const SpoolOptions& options, Clock& clock,
                                                     std::string_view kernel_boot_id);
  ~Spool();

  const BootId& boot_id() const;

  // The next sequence number, durable on return.
  absl::StatusOr<ClipKey> TakeNumber(std::string_view rule, uint32_t priority);
  // A number that ends at once as SUPPRESSED.
  absl::StatusOr<ClipKey> TakeSuppressed(std::string_view rule, std::string_view reason);
  // Ends a number that TakeNumber gave as FAILED.
  absl::Status Fail(const ClipKey& key, std::string_view reason);
  absl::StatusOr<std::unique_ptr<ClipWriter>> NewClip(const ClipKey& key);

  // The most valuable, then oldest clip that waits and isn't in `except`; nullopt when there is
  // none. What Next() handed out isn't evicted until PutBack or Release.
  absl::StatusOr<std::optional<StoredClip>> Next(const absl::flat_hash_set<ClipKey>& except);
  void PutBack(const ClipKey& key);
  // One block's bytes (up to 256 KiB), checked against its XXH3; DATA_LOSS when it differs. `out`
  // is replaced.
  absl::Status ReadBlock(const StoredClip& clip, size_t object, uint64_t block, std::string* out);
  // The receipt: the clip ends committed and its blocks are free. FAILED_PRECONDITION if
  // `manifest_sha256` isn't the clip's.
  absl::Status Release(const ClipKey& key, const Sha256Digest& manifest_sha256);
  // Sets a clip aside for a person; it is not handed out again, counts as FAILED in the ledger.
  absl::Status Quarantine(const ClipKey& key, std::string_view reason);

  // For ReportLedger: every boot that the cloud may still lack something of, within the bounds of
  // the contract.
  absl::StatusOr<v1::ReportLedgerRequest> Ledger();
  absl::Status AcknowledgeTombstones(const std::vector<ClipKey>& keys);
  SpoolStats stats() const;
  // Called (on any thread) after each commit, so that the uploader needn't poll.
  void OnCommit(std::function<void()> callback);

 private:
  friend struct SpoolInternals;
  Spool();
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner::edge
