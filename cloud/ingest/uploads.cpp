#include "cloud/ingest/uploads.h"

#include <fmt/format.h>

#include <array>

#include "cloud/clips/clip_rows.h"
#include "cloud/database/columns.h"
#include "cloud/database/tally.h"
#include "cloud/ledger/ledger.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint64_t kLeaseBlock = 10'000;  // reserved with one commit

// A manifest (clips/clip_rows.h) is that of an upload under way while a row refers to it.
// size_bytes: what is reserved for it.
constexpr std::array<std::string_view, 1> kMigrations = {R"(
  CREATE TABLE upload (
    manifest BIGINT NOT NULL PRIMARY KEY, device TEXT NOT NULL, begun_ns BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL DEFAULT 0);
  CREATE INDEX upload_device ON upload (device);
)"};

// Devices send uploads under way again.
constexpr std::string_view kLeftOut = R"(
  DELETE FROM object WHERE manifest IN (SELECT manifest FROM upload);
  DELETE FROM manifest WHERE number IN (SELECT manifest FROM upload);
  DELETE FROM upload;
)";

uint64_t Insert(Sql& sql, const UploadRow& upload) {
  return InsertManifest(sql, {.device = upload.device,
                              .key = upload.key,
                              .bytes = upload.manifest,
                              .sha256 = upload.manifest_sha256,
                              .blobs = upload.blobs,
                              .keys = upload.keys,
                              .begun_unix_ns = upload.begun_unix_ns});
}

// An upload under way with its manifest; its blobs become rubbish.
void Forget(Sql& sql, uint64_t manifest) {
  sql.Run("DELETE FROM upload WHERE manifest = :manifest", In(manifest));
  RemoveManifest(sql, manifest);
}

// Uploads of numbers that the device no longer has will never end.
void ForgetGivenUp(Sql& sql, std::string_view device, const JudgedBoot& boot) {
  std::vector<uint64_t> given_up;
  uint64_t number = 0, sequence = 0;
  sql.Query(
      "SELECT manifest.number, manifest.sequence FROM upload JOIN manifest ON manifest.number = "
      "upload.manifest WHERE upload.device = :device AND manifest.boot_id = :boot",
      In(device, boot.boot_id), Out(number, sequence), [&] {
        if (sequence <= boot.last && !Contains(boot.pending, sequence)) given_up.push_back(number);
      });
  for (const uint64_t one : given_up) Forget(sql, one);
}

// The manifest of an upload that ends: written at its beginning, or now.
absl::StatusOr<uint64_t> ManifestOf(Sql& sql, const UploadRow& upload,
                                    const std::optional<HeldManifest>& held) {
  if (held.has_value() != upload.begun) {
    return absl::FailedPreconditionError(fmt::format(
        "there is {} upload of clip {} under way", held ? "another" : "no", ToString(upload.key)));
  }
  if (!held) return Insert(sql, upload);
  // Not that of an upload that was begun anew meanwhile.
  if (held->sha256 != upload.manifest_sha256 || ReadBlobs(sql, held->number) != upload.blobs) {
    return absl::FailedPreconditionError(
        fmt::format("the upload of clip {} was begun anew", ToString(upload.key)));
  }
  sql.Run("DELETE FROM upload WHERE manifest = :manifest", In(held->number));
  return held->number;
}

}  // namespace

RoomTables UploadTables() {
  return {.room = "ingest", .migrations = kMigrations, .left_out = kLeftOut};
}

absl::StatusOr<std::optional<CommittedRow>> Uploads::FindCommitted(std::string_view device,
                                                                   const ClipKey& key) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<std::optional<CommittedRow>> {
    std::string sha256;
    CommittedRow row;
    const bool found = sql.Query(
        "SELECT manifest.sha256, clip.committed_ns FROM manifest JOIN clip ON clip.manifest = "
        "manifest.number WHERE manifest.device = :device AND manifest.boot_id = :boot AND "
        "manifest.sequence = :sequence",
        In(device, HexOf(key.boot_id), key.sequence), Out(sha256, row.committed_unix_ns), [] {});
    if (!found) return std::nullopt;
    row.manifest_sha256 = DigestFromHex(sha256);
    return row;
  });
}

absl::StatusOr<std::optional<UploadRow>> Uploads::Find(std::string_view device,
                                                       const ClipKey& key) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<std::optional<UploadRow>> {
    UploadRow row{.device = std::string(device), .key = key, .begun = true};
    uint64_t number = 0;
    std::string sha256;
    BytesOut bytes{&row.manifest};
    const bool found = sql.Query(
        "SELECT manifest.number, manifest.sha256, manifest.begun_ns, manifest.bytes, "
        "upload.size_bytes FROM manifest JOIN upload ON upload.manifest = manifest.number WHERE "
        "manifest.device = :device AND "
        "manifest.boot_id = :boot AND manifest.sequence = :sequence",
        In(device, HexOf(key.boot_id), key.sequence),
        Out(number, sha256, row.begun_unix_ns, bytes, row.size_bytes), [] {});
    if (!found) return std::nullopt;
    row.manifest_sha256 = DigestFromHex(sha256);
    row.blobs = ReadBlobs(sql, number);
    row.keys = ReadKeys(sql, number);
    return row;
  });
}

absl::StatusOr<UploadTotal> Uploads::Sum(std::string_view device) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<UploadTotal> {
    UploadTotal total;
    sql.Query("SELECT COUNT(*), COALESCE(SUM(size_bytes), 0) FROM upload WHERE device = :device",
              In(device), Out(total.count, total.bytes), [] {});
    total.bytes += SumRubbish(sql, device);
    return total;
  });
}

absl::Status Uploads::Begin(const UploadRow& upload) {
  return database_.Write([&](Sql& sql) -> absl::Status {
    if (const auto held = FindManifest(sql, upload.device, upload.key)) {
      if (held->committed) {
        return absl::AlreadyExistsError(fmt::format("clip {} is committed", ToString(upload.key)));
      }
      Forget(sql, held->number);
    }
    const uint64_t number = Insert(sql, upload);
    // Where only some of its blobs were lost, the others are named again.
    NameAgain(sql, upload.blobs);
    NameAgain(sql, upload.keys);
    sql.Run(
        "INSERT INTO upload (manifest, device, begun_ns, size_bytes) VALUES (:manifest, :device, "
        ":begun, :size)",
        In(number, upload.device, upload.begun_unix_ns, upload.size_bytes));
    NoteBegun(sql, upload.device, upload.key);
    return absl::OkStatus();
  });
}

absl::Status Uploads::Commit(const UploadRow& upload, const v1::ClipManifest& manifest,
                             int64_t committed_unix_ns) {
  return database_.Write([&](Sql& sql) -> absl::Status {
    const auto held = FindManifest(sql, upload.device, upload.key);
    if (held && held->committed && held->sha256 == upload.manifest_sha256) {
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const uint64_t number, ManifestOf(sql, upload, held));
    if (!upload.keys.empty()) NameObjects(sql, number);
    AddClip(sql, number, upload, manifest, committed_unix_ns);
    return absl::OkStatus();
  });
}

absl::Status Uploads::Adopt(const std::vector<const FoundClip*>& clips) {
  return database_.Write([&](Sql& sql) -> absl::Status {
    for (const FoundClip* found : clips) {
      const UploadRow& upload = found->upload;
      if (const auto held = FindManifest(sql, upload.device, upload.key)) {
        if (held->committed) continue;
        Forget(sql, held->number);
      }
      const uint64_t number = Insert(sql, upload);
      NameAgain(sql, upload.blobs);
      AddClip(sql, number, upload, found->manifest, found->committed_unix_ns);
    }
    return absl::OkStatus();
  });
}

void Uploads::AddClip(Sql& sql, uint64_t number, const UploadRow& upload,
                      const v1::ClipManifest& manifest, int64_t committed_unix_ns) {
  InsertClip(sql, number, upload.device, upload.key, manifest, committed_unix_ns);
  NoteCommitted(sql, upload.device, upload.key);
  const std::string id = ClipId(upload.device, upload.key);
  for (const WithClip& write : with_clip_) write(sql, upload.device, id, committed_unix_ns);
}

absl::Status Uploads::Drop(std::string_view device, const ClipKey& key) {
  return database_.Write([&](Sql& sql) {
    const auto held = FindManifest(sql, device, key);
    if (held && !held->committed) Forget(sql, held->number);
    return absl::OkStatus();
  });
}

absl::StatusOr<uint64_t> Uploads::DropBefore(int64_t unix_ns) {
  uint64_t dropped = 0;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) {
    std::vector<uint64_t> old;
    uint64_t number = 0;
    sql.Query("SELECT manifest FROM upload WHERE begun_ns < :before", In(unix_ns), Out(number),
              [&] { old.push_back(number); });
    for (const uint64_t one : old) Forget(sql, one);
    dropped = old.size();
    return absl::OkStatus();
  }));
  return dropped;
}

absl::Status Uploads::RecordConflict(std::string_view device, const ClipKey& key,
                                     const Sha256Digest& offered, int64_t unix_ns) {
  return database_.Write([&](Sql& sql) {
    NoteConflict(sql, device, key, offered, unix_ns);
    return absl::OkStatus();
  });
}

absl::StatusOr<uint64_t> Uploads::NextLease() {
  std::lock_guard lock(lease_mutex_);
  if (next_lease_ == lease_end_) {
    uint64_t end = 0;
    RETURN_IF_ERROR(database_.Write([&](Sql& sql) {
      end = CountUp(sql, "lease", kLeaseBlock);
      return absl::OkStatus();
    }));
    next_lease_ = end - kLeaseBlock + 1;
    lease_end_ = end + 1;
  }
  return next_lease_++;
}

absl::Status Uploads::ReportLedger(std::string_view device, const v1::ReportLedgerRequest& report,
                                   v1::ReportLedgerResponse* response) {
  return database_.Write([&](Sql& sql) {
    return cloud::ReportLedger(
        sql, device, report, [&](const JudgedBoot& boot) { ForgetGivenUp(sql, device, boot); },
        response);
  });
}

}  // namespace gleaner::cloud
