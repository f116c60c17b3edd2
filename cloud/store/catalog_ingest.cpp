// What ingest asks of the catalogue: uploads, clips, conflicts.
#include <fmt/format.h>

#include <algorithm>

#include "cloud/store/sqlite_catalog.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// A manifest row and what it is now.
struct Held {
  uint64_t number = 0;
  std::string sha256;
  bool committed = false;
};

std::optional<Held> FindManifestOf(Sql& sql, std::string_view device, const ClipKey& key) {
  Held held;
  const bool found = sql.Query(
      "SELECT number, sha256, EXISTS (SELECT 1 FROM clip WHERE clip.manifest = manifest.number) "
      "FROM manifest WHERE device = :device AND boot_id = :boot AND sequence = :sequence",
      In(device, HexOf(key.boot_id), key.sequence), Out(held.number, held.sha256, held.committed),
      [] {});
  return found ? std::optional(held) : std::nullopt;
}

std::vector<BlobId> BlobsOf(Sql& sql, uint64_t manifest) {
  std::vector<BlobId> blobs;
  BlobId blob;
  sql.Query("SELECT blob FROM object WHERE manifest = :manifest ORDER BY position", In(manifest),
            Out(blob), [&] { blobs.push_back(blob); });
  return blobs;
}

uint64_t InsertManifest(Sql& sql, const UploadRow& upload) {
  uint64_t number = 0;
  sql.Query(
      "INSERT INTO manifest (device, boot_id, sequence, sha256, begun_ns, bytes) VALUES "
      "(:device, :boot, :sequence, :sha256, :begun, :bytes) RETURNING number",
      In(upload.device, HexOf(upload.key.boot_id), upload.key.sequence,
         HexOf(upload.manifest_sha256), upload.begun_unix_ns, Bytes{upload.manifest}),
      Out(number), [] {});
  for (size_t i = 0; i < upload.blobs.size(); ++i) {
    sql.Run("INSERT INTO object (manifest, position, blob) VALUES (:manifest, :position, :blob)",
            In(number, i, upload.blobs[i]));
  }
  CountNames(sql, static_cast<int64_t>(upload.blobs.size()));
  return number;
}

// The manifest of an upload that ends: written at its beginning, or now.
absl::StatusOr<uint64_t> ManifestOf(Sql& sql, const UploadRow& upload,
                                    const std::optional<Held>& held) {
  if (held.has_value() != upload.begun) {
    return absl::FailedPreconditionError(fmt::format(
        "there is {} upload of clip {} under way", held ? "another" : "no", ToString(upload.key)));
  }
  if (!held) return InsertManifest(sql, upload);
  // Not that of an upload that was begun anew meanwhile.
  if (held->sha256 != HexOf(upload.manifest_sha256) || BlobsOf(sql, held->number) != upload.blobs) {
    return absl::FailedPreconditionError(
        fmt::format("the upload of clip {} was begun anew", ToString(upload.key)));
  }
  sql.Run("DELETE FROM upload WHERE manifest = :manifest", In(held->number));
  return held->number;
}

void InsertClip(Sql& sql, uint64_t number, const UploadRow& upload,
                const v1::ClipManifest& manifest, int64_t committed_unix_ns) {
  uint64_t size = 0;
  bool has_preview = false;
  for (const v1::ClipObject& object : manifest.objects()) {
    size += object.size_bytes();
    has_preview = has_preview || object.kind() == v1::ClipObject::KIND_PREVIEW;
  }
  const v1::VideoTrack first =
      manifest.video_size() > 0 ? manifest.video(0) : v1::VideoTrack::default_instance();
  const int64_t duration =
      manifest.delivered().end_monotonic_ns() - manifest.delivered().start_monotonic_ns();
  const int media =
      manifest.video_size() > 0 ? v1::MediaCheck::STATE_PENDING : v1::MediaCheck::STATE_OK;
  const std::string boot = HexOf(upload.key.boot_id);
  uint64_t arrival = 0;
  sql.Query(
      "INSERT INTO clip (id, manifest, device, site, rule, camera, boot_id, sequence, fired_ns, "
      "committed_ns, duration_ns, size_bytes, frame_count, width, height, has_preview, priority, "
      "media_state, media_problem, decoded_frames, thumbnails) VALUES (:id, :manifest, :device, "
      ":site, :rule, :camera, :boot, :sequence, :fired, :committed, :duration, :size, :frames, "
      ":width, :height, :preview, :priority, :media, '', 0, 0) RETURNING arrival",
      In(ClipId(upload.device, upload.key), number, upload.device, manifest.site(),
         manifest.trigger().rule(), first.camera(), boot, upload.key.sequence,
         manifest.fired_at().wall_unix_ns(), committed_unix_ns, duration, size, first.frame_count(),
         first.width(), first.height(), has_preview, manifest.trigger().priority(), media),
      Out(arrival), [] {});
  for (int i = 0; i < manifest.video_size(); ++i) {
    sql.Run(
        "INSERT INTO track (arrival, position, camera, codec) VALUES (:arrival, :position, "
        ":camera, :codec)",
        In(arrival, i, manifest.video(i).camera(), manifest.video(i).codec()));
  }
  const auto bytes = static_cast<int64_t>(size);
  Tally(sql, "all", "", 1, bytes);
  Tally(sql, "device", upload.device, 1, bytes);
  Tally(sql, "site", manifest.site(), 1, bytes);
  Tally(sql, "rule", manifest.trigger().rule(), 1, bytes);
  if (media == v1::MediaCheck::STATE_OK) Tally(sql, "media_ok", "", 1);
}

}  // namespace

void ForgetUpload(Sql& sql, uint64_t manifest) {
  std::string device, bytes;
  BytesOut out{&bytes};
  sql.Query("SELECT device, bytes FROM manifest WHERE number = :manifest", In(manifest),
            Out(device, out), [] {});
  v1::ClipManifest described;
  described.ParseFromString(bytes);  // it did when it was offered
  const std::vector<BlobId> blobs = BlobsOf(sql, manifest);
  for (size_t i = 0; i < blobs.size(); ++i) {
    const auto object = static_cast<int>(i);
    const uint64_t size =
        object < described.objects_size() ? described.objects(object).size_bytes() : 0;
    AddRubbish(sql, blobs[i], device, size);
  }
  sql.Run("DELETE FROM upload WHERE manifest = :manifest", In(manifest));
  sql.Run("DELETE FROM object WHERE manifest = :manifest", In(manifest));
  sql.Run("DELETE FROM manifest WHERE number = :manifest", In(manifest));
  CountNames(sql, -static_cast<int64_t>(blobs.size()));
}

absl::StatusOr<std::optional<CommittedRow>> SqliteCatalog::FindCommitted(std::string_view device,
                                                                         const ClipKey& key) {
  return Reading([&](Sql& sql) -> absl::StatusOr<std::optional<CommittedRow>> {
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

absl::StatusOr<std::optional<UploadRow>> SqliteCatalog::FindUpload(std::string_view device,
                                                                   const ClipKey& key) {
  return Reading([&](Sql& sql) -> absl::StatusOr<std::optional<UploadRow>> {
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
    row.blobs = BlobsOf(sql, number);
    return row;
  });
}

absl::StatusOr<UploadTotal> SqliteCatalog::SumUploads(std::string_view device) {
  return Reading([&](Sql& sql) -> absl::StatusOr<UploadTotal> {
    UploadTotal total;
    uint64_t rubbish = 0;
    sql.Query("SELECT COUNT(*), COALESCE(SUM(size_bytes), 0) FROM upload WHERE device = :device",
              In(device), Out(total.count, total.bytes), [] {});
    sql.Query("SELECT COALESCE(SUM(size_bytes), 0) FROM rubbish WHERE device = :device", In(device),
              Out(rubbish), [] {});
    total.bytes += rubbish;
    return total;
  });
}

absl::Status SqliteCatalog::BeginUpload(const UploadRow& upload) {
  return Write([&](Sql& sql) -> absl::Status {
    if (const auto held = FindManifestOf(sql, upload.device, upload.key)) {
      if (held->committed) {
        return absl::AlreadyExistsError(fmt::format("clip {} is committed", ToString(upload.key)));
      }
      ForgetUpload(sql, held->number);
    }
    const uint64_t number = InsertManifest(sql, upload);
    // Where only some of its blobs were lost, the others are named again.
    for (const BlobId& blob : upload.blobs) {
      sql.Run("DELETE FROM rubbish WHERE blob = :blob", In(blob));
    }
    sql.Run(
        "INSERT INTO upload (manifest, device, begun_ns, size_bytes) VALUES (:manifest, :device, "
        ":begun, :size)",
        In(number, upload.device, upload.begun_unix_ns, upload.size_bytes));
    SetOpen(sql, upload.device, HexOf(upload.key.boot_id), true);
    return absl::OkStatus();
  });
}

absl::Status SqliteCatalog::CommitClip(const UploadRow& upload, const v1::ClipManifest& manifest,
                                       int64_t committed_unix_ns) {
  RETURN_IF_ERROR(Write([&](Sql& sql) -> absl::Status {
    const auto held = FindManifestOf(sql, upload.device, upload.key);
    if (held && held->committed && held->sha256 == HexOf(upload.manifest_sha256)) {
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const uint64_t number, ManifestOf(sql, upload, held));
    InsertClip(sql, number, upload, manifest, committed_unix_ns);
    const std::string boot = HexOf(upload.key.boot_id);
    if (!Settle(sql, upload.device, boot, upload.key.sequence)) {
      RemoveTombstone(sql, upload.device, boot, upload.key.sequence);
    }
    return absl::OkStatus();
  }));
  std::lock_guard lock(callbacks_mutex_);
  for (const auto& callback : callbacks_) callback(upload.device);
  return absl::OkStatus();
}

absl::Status SqliteCatalog::DropUpload(std::string_view device, const ClipKey& key) {
  return Write([&](Sql& sql) {
    const auto held = FindManifestOf(sql, device, key);
    if (held && !held->committed) ForgetUpload(sql, held->number);
    return absl::OkStatus();
  });
}

absl::StatusOr<uint64_t> SqliteCatalog::DropUploadsBefore(int64_t unix_ns) {
  uint64_t dropped = 0;
  RETURN_IF_ERROR(Write([&](Sql& sql) {
    std::vector<uint64_t> old;
    uint64_t number = 0;
    sql.Query("SELECT manifest FROM upload WHERE begun_ns < :before", In(unix_ns), Out(number),
              [&] { old.push_back(number); });
    for (const uint64_t one : old) ForgetUpload(sql, one);
    dropped = old.size();
    return absl::OkStatus();
  }));
  return dropped;
}

absl::Status SqliteCatalog::RecordConflict(std::string_view device, const ClipKey& key,
                                           const Sha256Digest& offered, int64_t unix_ns) {
  return Write([&](Sql& sql) {
    sql.Run(
        "INSERT INTO conflict (device, boot_id, sequence, offered, first_ns, last_ns, times) "
        "VALUES "
        "(:device, :boot, :sequence, :offered, :first, :last, 1) ON CONFLICT (device, boot_id, "
        "sequence) DO UPDATE SET offered = excluded.offered, last_ns = excluded.last_ns, "
        "times = conflict.times + 1",
        In(device, HexOf(key.boot_id), key.sequence, HexOf(offered), unix_ns, unix_ns));
    return absl::OkStatus();
  });
}

}  // namespace gleaner::cloud
