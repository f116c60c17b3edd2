// The catalogue on SQLite: one writing connection with group commit, a few reading ones. The
// methods are spread over catalog_*.cpp by the part of the interface they serve.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "cloud/store/catalog.h"
#include "cloud/store/ranges.h"
#include "cloud/store/sql.h"

namespace gleaner::cloud {

class SqliteCatalog : public Catalog {
 public:
  static absl::StatusOr<std::unique_ptr<Catalog>> Open(const std::string& path, Clock& clock,
                                                       const CatalogOptions& options);

  absl::StatusOr<std::optional<CommittedRow>> FindCommitted(std::string_view device,
                                                            const ClipKey& key) override;
  absl::StatusOr<std::optional<UploadRow>> FindUpload(std::string_view device,
                                                      const ClipKey& key) override;
  absl::StatusOr<UploadTotal> SumUploads(std::string_view device) override;
  absl::Status BeginUpload(const UploadRow& upload) override;
  absl::Status CommitClip(const UploadRow& upload, const v1::ClipManifest& manifest,
                          int64_t committed_unix_ns) override;
  absl::Status DropUpload(std::string_view device, const ClipKey& key) override;
  absl::StatusOr<uint64_t> DropUploadsBefore(int64_t unix_ns) override;
  absl::Status RecordConflict(std::string_view device, const ClipKey& key,
                              const Sha256Digest& offered, int64_t unix_ns) override;
  absl::StatusOr<uint64_t> NextLease() override;
  absl::Status ReportLedger(std::string_view device, const v1::ReportLedgerRequest& report,
                            v1::ReportLedgerResponse* response) override;

  absl::Status RecordHello(std::string_view device, const v1::HelloRequest& hello,
                           int64_t unix_ns) override;
  absl::Status RecordHeartbeat(std::string_view device, const v1::HeartbeatRequest& heartbeat,
                               int64_t unix_ns) override;
  absl::Status RecordDamage(std::string_view device, std::string_view camera, uint64_t frames,
                            int64_t unix_ns) override;
  absl::StatusOr<std::vector<v1::CameraNotice>> CameraNotices(std::string_view device,
                                                              int64_t unix_ns) override;

  absl::StatusOr<std::vector<std::string>> DevicesWithPendingMedia() override;
  absl::StatusOr<std::vector<MediaJob>> PendingMedia(std::string_view device,
                                                     size_t limit) override;
  absl::Status RecordMedia(std::string_view clip_id, const v1::MediaCheck& check,
                           const std::vector<BlobId>& thumbnails) override;
  void OnClip(std::function<void(const std::string& device)> callback) override;

  absl::StatusOr<v1::ListClipsResponse> ListClips(const v1::ListClipsRequest& request,
                                                  const Filter& filter) override;
  absl::StatusOr<v1::GetClipResponse> GetClip(std::string_view clip_id) override;
  absl::StatusOr<v1::ListDevicesResponse> ListDevices(int64_t now_unix_ns) override;
  absl::StatusOr<v1::Device> GetDevice(std::string_view name, int64_t now_unix_ns) override;
  absl::StatusOr<DeviceCounts> CountDevices(int64_t now_unix_ns) override;
  absl::StatusOr<v1::GetSummaryResponse> GetSummary(int64_t now_unix_ns) override;
  absl::StatusOr<ObjectRow> FindObject(std::string_view clip_id, v1::ClipObject::Kind kind,
                                       size_t index) override;
  absl::StatusOr<BlobId> FindThumbnail(std::string_view clip_id, size_t index) override;
  absl::StatusOr<ManifestRow> FindManifest(std::string_view clip_id) override;
  absl::Status Check() override;

  absl::StatusOr<std::vector<BlobId>> FindBlobs(std::string_view prefix) override;
  absl::Status CheckNames() override;
  absl::StatusOr<std::vector<BlobId>> FindRubbish(const BlobId& after, size_t limit) override;
  absl::Status ForgetRubbish(const std::vector<BlobId>& blobs) override;
  absl::Status RenameBlobs(const std::vector<std::pair<BlobId, BlobId>>& renamed) override;
  absl::StatusOr<StoreIdentity> GetIdentity() override;
  absl::Status SetIdentity(const StoreIdentity& identity) override;
  absl::Status KeepAside(const std::vector<KeptRow>& kept) override;
  absl::StatusOr<std::vector<KeptRow>> ListKept() override;
  absl::Status GiveUpKept() override;
  absl::StatusOr<StoreTotals> SumStore() override;

 private:
  // What a change does, in a transaction that others may share. Returns an error only before it has
  // changed anything; may throw soci::soci_error; may run again after a transaction failed.
  using Operation = std::function<absl::Status(Sql&)>;
  struct Waiting {
    const Operation* operation;
    absl::Status result;
    bool done = false;
  };

  SqliteCatalog(std::string path, Clock& clock, const CatalogOptions& options);

  // Runs `operation` and commits; OK once that is durable. The first caller who finds nobody
  // committing does so for all who wait by then.
  absl::Status Write(const Operation& operation);
  void CommitTogether(const std::vector<Waiting*>& batch);

  // Runs `read` on a connection of its own, in one snapshot.
  template <typename Read>
  auto Reading(Read read) -> std::invoke_result_t<Read, Sql&>;
  std::unique_ptr<Sql> TakeReader();
  void GiveReader(std::unique_ptr<Sql> reader);

  const std::string path_;
  Clock& clock_;
  const CatalogOptions options_;

  std::mutex write_mutex_;
  std::condition_variable written_;
  std::vector<Waiting*> waiting_;
  bool committing_ = false;
  absl::Status broken_;  // after an I/O error: what every later change answers
  std::atomic<bool> is_broken_{false};

  std::unique_ptr<Sql> writer_;  // used by whoever set committing_, as is
  uint64_t named_ = 0;           // what on_named was last told
  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<Sql>> readers_;  // idle ones; closed before the writer is

  std::mutex lease_mutex_;
  uint64_t next_lease_ = 1;
  uint64_t lease_end_ = 1;  // leases below are reserved durably

  std::mutex callbacks_mutex_;
  std::vector<std::function<void(const std::string& device)>> callbacks_;
};

// --- shared by the parts

// What to say of a file that is no sound database.
absl::Status DamagedCatalog(const std::string& path, std::string_view what);
inline std::string HexOf(const BootId& id) { return Hex(AsBytes(id)); }
inline std::string HexOf(const Sha256Digest& digest) { return Hex(AsBytes(digest)); }
std::string Unhex(std::string_view hex);
Sha256Digest DigestFromHex(std::string_view hex);

// Adds to a roll-up; see the table tally.
void Tally(Sql& sql, std::string_view dimension, std::string_view value, int64_t clips,
           int64_t bytes = 0);
// How many it counts; `bytes` (may be null) gets the sum of their sizes.
uint64_t ReadTally(Sql& sql, std::string_view dimension, std::string_view value = "",
                   uint64_t* bytes = nullptr);
// The roll-up that counts tombstones of a state, by device.
std::string_view TombstoneDimension(v1::Tombstone::State state);
// Marks a number as ended. False if it had ended already.
bool Settle(Sql& sql, std::string_view device, const std::string& boot_id, uint64_t sequence);
// Notes that `last` is the highest number given out, if it is news.
void RaiseLastSequence(Sql& sql, std::string_view device, const std::string& boot_id,
                       uint64_t last);
// Whether a boot is judged anew by a report that doesn't name it: not when one has done so and
// nothing was heard of the boot since.
void SetOpen(Sql& sql, std::string_view device, const std::string& boot_id, bool open);
// Turns a tombstone back, since the clip arrived after all.
void RemoveTombstone(Sql& sql, std::string_view device, const std::string& boot_id,
                     uint64_t sequence);
// Notes that blobs were given names, or lost them: `names` rows of object and thumbnail more.
void CountNames(Sql& sql, int64_t names);
// A blob that is named no more; `size_bytes` count as reserved by `device` (may be empty).
void AddRubbish(Sql& sql, const BlobId& blob, std::string_view device, uint64_t size_bytes);
// Removes an upload under way with its manifest; its blobs become rubbish.
void ForgetUpload(Sql& sql, uint64_t manifest);

template <typename Read>
auto SqliteCatalog::Reading(Read read) -> std::invoke_result_t<Read, Sql&> {
  try {
    std::unique_ptr<Sql> sql = TakeReader();
    sql->Begin();
    auto result = read(*sql);
    sql->Rollback();
    GiveReader(std::move(sql));
    return result;
  } catch (const soci::soci_error& error) {  // the connection goes with its snapshot
    return ToStatus(error);
  }
}

}  // namespace gleaner::cloud
