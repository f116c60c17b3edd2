// What the cloud knows: devices, clips, uploads under way, ledgers, media checks; and which blobs
// it knows it of. One SQL through SOCI; SQLite by default.
//
// Durable: every method that changes something is on stable storage when it returns OK (WAL,
// synchronous=FULL), and has changed nothing when it returns an error. Calls from many threads at
// once share a transaction (group commit), so a change costs a fraction of a sync under load.
// Reading never waits for writing.
//
// All methods are thread-safe and block; never call them from a gRPC reactor. Rows that are the
// contract's own messages are passed as those messages. Errors: DATA_LOSS when the database is
// damaged, RESOURCE_EXHAUSTED when its disk is full, UNAVAILABLE when it is locked, INTERNAL for
// what the disk or the database did; after an I/O error every later change is refused until a
// restart, since the kernel may have dropped what it failed to write.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/search/filter.h"
#include "cloud/store/blob_store.h"
#include "common/clip_key.h"
#include "common/clock.h"
#include "common/digest.h"
#include "gleaner/v1/catalog.pb.h"
#include "gleaner/v1/clip.pb.h"
#include "gleaner/v1/fleet.pb.h"
#include "gleaner/v1/ingest.pb.h"

namespace gleaner::cloud {

// The highest sequence number that the catalogue takes; ingest refuses more. A number a second
// would need 136 years to get there.
inline constexpr uint64_t kMaxSequence = 1ull << 32;

// Boots of a device that the ledger keeps apart: a restart a day for eleven years.
inline constexpr uint64_t kMaxBoots = 4096;

// A clip on its way in.
struct UploadRow {
  std::string device;
  ClipKey key;
  std::string manifest;
  Sha256Digest manifest_sha256{};
  std::vector<BlobId> blobs;  // one an object, in the manifest's order
  uint64_t size_bytes = 0;    // of all objects
  int64_t begun_unix_ns = 0;
  // BeginUpload has made it durable. One that comes to its end before anything of it was told
  // needs no row of its own: CommitClip writes all.
  bool begun = false;
};

struct UploadTotal {
  uint64_t count = 0;  // under way
  uint64_t bytes = 0;  // reserved for their objects, and for those of given up ones until these
                       // bytes are free
};

// Which blobs a catalogue is the catalogue of: see data_folder.h.
struct StoreIdentity {
  std::string id;       // 32 of lower-case hex, made once; empty: not said yet
  std::string history;  // the same, made anew when an older catalogue was put back
  uint64_t named = 0;   // how often blobs were given a name
};

// Bytes that nothing names and that may be somebody's.
struct KeptRow {
  BlobId blob;
  uint64_t size_bytes = 0;
  int64_t since_unix_ns = 0;
};

// What the blob store holds beyond what is in use.
struct StoreTotals {
  uint64_t kept_count = 0, kept_bytes = 0;
  uint64_t rubbish_bytes = 0;  // to be freed, of unfinished uploads
};

struct CommittedRow {
  Sha256Digest manifest_sha256{};
  int64_t committed_unix_ns = 0;
};

// An object of a committed clip, for serving.
struct ObjectRow {
  BlobId blob;
  std::string content_type;
  uint64_t size_bytes = 0;
  Sha256Digest sha256{};
};

// A committed clip whose video nobody has looked at yet.
struct MediaJob {
  std::string clip_id;
  std::string device;
  std::string manifest;
  std::vector<BlobId> videos;
};

struct ManifestRow {
  std::string bytes;
  Sha256Digest sha256{};
};

struct DeviceCounts {
  uint64_t online = 0;
  uint64_t offline = 0;
  uint64_t degraded = 0;
};

class Catalog {
 public:
  virtual ~Catalog() = default;

  // --- ingest
  virtual absl::StatusOr<std::optional<CommittedRow>> FindCommitted(std::string_view device,
                                                                    const ClipKey& key) = 0;
  virtual absl::StatusOr<std::optional<UploadRow>> FindUpload(std::string_view device,
                                                              const ClipKey& key) = 0;
  // What unfinished uploads of a device hold, over all its streams and boots.
  virtual absl::StatusOr<UploadTotal> SumUploads(std::string_view device) = 0;
  // Replaces an upload under way with the same key (its other blobs become rubbish).
  // ALREADY_EXISTS if the key is committed.
  virtual absl::Status BeginUpload(const UploadRow& upload) = 0;
  // The upload becomes a clip: manifest indexed, objects named, upload row gone, all in one
  // transaction. OK without any change if exactly this clip is committed already;
  // FAILED_PRECONDITION if an upload that has begun is there no more, or one that hasn't is there,
  // or it has other blobs by now.
  virtual absl::Status CommitClip(const UploadRow& upload, const v1::ClipManifest& manifest,
                                  int64_t committed_unix_ns) = 0;
  // Forgets an upload; its blobs become rubbish. OK if there is none.
  virtual absl::Status DropUpload(std::string_view device, const ClipKey& key) = 0;
  // Forgets uploads that began before `unix_ns` and never ended: their devices are gone. How many.
  virtual absl::StatusOr<uint64_t> DropUploadsBefore(int64_t unix_ns) = 0;
  // Same key, another manifest: kept for an operator to see with the device.
  virtual absl::Status RecordConflict(std::string_view device, const ClipKey& key,
                                      const Sha256Digest& offered, int64_t unix_ns) = 0;
  // A number that no earlier run of this catalogue gave out; from 1.
  virtual absl::StatusOr<uint64_t> NextLease() = 0;
  // The report replaces what was known to be missing; forgets uploads of numbers that the device no
  // longer has. A boot that a report of fewer than 64 does not name has nothing pending. The caller
  // has checked the contract's bounds.
  // RESOURCE_EXHAUSTED for one boot more than kMaxBoots.
  virtual absl::Status ReportLedger(std::string_view device, const v1::ReportLedgerRequest& report,
                                    v1::ReportLedgerResponse* response) = 0;

  // --- fleet
  virtual absl::Status RecordHello(std::string_view device, const v1::HelloRequest& hello,
                                   int64_t unix_ns) = 0;
  virtual absl::Status RecordHeartbeat(std::string_view device,
                                       const v1::HeartbeatRequest& heartbeat, int64_t unix_ns) = 0;
  // A clip of a device's camera came with so many damaged frames (all of them, where none decodes).
  virtual absl::Status RecordDamage(std::string_view device, std::string_view camera,
                                    uint64_t frames, int64_t unix_ns) = 0;
  // What to tell a device of its cameras: those whose pictures came damaged within the last hour.
  virtual absl::StatusOr<std::vector<v1::CameraNotice>> CameraNotices(std::string_view device,
                                                                      int64_t unix_ns) = 0;

  // --- media
  // The names of devices that have clips nobody has looked at, in ascending order.
  virtual absl::StatusOr<std::vector<std::string>> DevicesWithPendingMedia() = 0;
  // Of one device; oldest arrivals first.
  virtual absl::StatusOr<std::vector<MediaJob>> PendingMedia(std::string_view device,
                                                             size_t limit) = 0;
  // Replaces an earlier check and its thumbnails. NOT_FOUND without such a clip.
  virtual absl::Status RecordMedia(std::string_view clip_id, const v1::MediaCheck& check,
                                   const std::vector<BlobId>& thumbnails) = 0;
  // `callback` is called with the device (on any thread, must not block) after each committed clip,
  // for the life of the catalogue. May be called several times; every callback is called.
  virtual void OnClip(std::function<void(const std::string& device)> callback) = 0;

  // --- reading; `now_unix_ns` decides who is offline.
  // INVALID_ARGUMENT for a page size or a token that is none.
  virtual absl::StatusOr<v1::ListClipsResponse> ListClips(const v1::ListClipsRequest& request,
                                                          const Filter& filter) = 0;
  virtual absl::StatusOr<v1::GetClipResponse> GetClip(std::string_view clip_id) = 0;
  // Without `recent` and `conflicts`, which only GetDevice tells.
  virtual absl::StatusOr<v1::ListDevicesResponse> ListDevices(int64_t now_unix_ns) = 0;
  // NOT_FOUND if it never said hello.
  virtual absl::StatusOr<v1::Device> GetDevice(std::string_view name, int64_t now_unix_ns) = 0;
  // By Device.state.
  virtual absl::StatusOr<DeviceCounts> CountDevices(int64_t now_unix_ns) = 0;
  virtual absl::StatusOr<v1::GetSummaryResponse> GetSummary(int64_t now_unix_ns) = 0;
  // NOT_FOUND says what is missing: the clip or the object. `index` counts objects of that kind.
  virtual absl::StatusOr<ObjectRow> FindObject(std::string_view clip_id, v1::ClipObject::Kind kind,
                                               size_t index) = 0;
  virtual absl::StatusOr<BlobId> FindThumbnail(std::string_view clip_id, size_t index) = 0;
  virtual absl::StatusOr<ManifestRow> FindManifest(std::string_view clip_id) = 0;

  // --- the store
  // Every blob that something refers to (an upload under way, a clip, a thumbnail, what is kept
  // aside) and whose id begins with `prefix`, in ascending order: see BlobStore::Sweep.
  virtual absl::StatusOr<std::vector<BlobId>> FindBlobs(std::string_view prefix) = 0;
  // DATA_LOSS if it has more or fewer names of blobs than it has given: somebody changed it by
  // hand, and nothing may be removed because it isn't named.
  virtual absl::Status CheckNames() = 0;
  // Blobs that were named and are no more, in ascending order from `after` on, at most `limit`; to
  // be removed and then forgotten.
  virtual absl::StatusOr<std::vector<BlobId>> FindRubbish(const BlobId& after, size_t limit) = 0;
  virtual absl::Status ForgetRubbish(const std::vector<BlobId>& blobs) = 0;
  // From the first id to the second of each pair: see loose_blobs.h.
  virtual absl::Status RenameBlobs(const std::vector<std::pair<BlobId, BlobId>>& renamed) = 0;
  virtual absl::StatusOr<StoreIdentity> GetIdentity() = 0;
  // `named` only rises.
  virtual absl::Status SetIdentity(const StoreIdentity& identity) = 0;
  virtual absl::Status KeepAside(const std::vector<KeptRow>& kept) = 0;
  virtual absl::StatusOr<std::vector<KeptRow>> ListKept() = 0;
  // What was kept aside becomes rubbish.
  virtual absl::Status GiveUpKept() = 0;
  virtual absl::StatusOr<StoreTotals> SumStore() = 0;
  // For /readyz: can it commit?
  virtual absl::Status Check() = 0;
};

struct CatalogOptions {
  // A device that was silent for longer is offline: three heartbeat intervals of the policy.
  int64_t offline_after_ns = 90 * kNanosPerSecond;
  // Called with StoreIdentity::named after each transaction that has raised it, before anyone who
  // waits for that transaction goes on; on any thread, one at a time. May be empty.
  std::function<void(uint64_t)> on_named;
};

// `path`: the SQLite file; made, or migrated to this version's schema (the server opens it through
// data_folder.h, which looks and copies before that). DATA_LOSS, naming the file,
// if it is damaged: it is never replaced, an operator decides. FAILED_PRECONDITION if a newer
// program wrote it. Files up to 1 GiB are checked whole (about a second), larger ones by their
// schema only.
absl::StatusOr<std::unique_ptr<Catalog>> OpenSqliteCatalog(const std::string& path, Clock& clock,
                                                           const CatalogOptions& options = {});

}  // namespace gleaner::cloud
