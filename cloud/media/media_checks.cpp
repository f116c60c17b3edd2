#include "cloud/media/media_checks.h"

#include <fmt/format.h>

#include <array>

#include "cloud/clips/clip_rows.h"
#include "cloud/jobs/jobs.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr std::array<std::string_view, 3> kMigrations = {
    R"(
  CREATE TABLE thumbnail (
    arrival BIGINT NOT NULL, position BIGINT NOT NULL, blob TEXT NOT NULL,
    PRIMARY KEY (arrival, position));
  CREATE INDEX thumbnail_blob ON thumbnail (blob);
)",
    // Clips that waited before there were jobs.
    R"(
  INSERT INTO job (kind, subject, share, state, priority, run_after_ns, attempts, max_attempts,
    claims, lease_ns, created_ns, started_ns, ended_ns, worker, progress, doing, parameters, result,
    error, cancel)
    SELECT 'media-check', id, device, 1, 0, 0, 0, 3, 0, 0, committed_ns, 0, 0, '', 0, '', '', '',
      '', 0 FROM clip WHERE media_state = 1 ORDER BY arrival;
  INSERT INTO tally (dimension, value, clips, bytes)
    SELECT 'job', '1 media-check', COUNT(*), 0 FROM clip WHERE media_state = 1;
)",
    // Clips whose check was cancelled before that was a verdict: they waited for nothing.
    R"(
  INSERT INTO job (kind, subject, share, state, priority, run_after_ns, attempts, max_attempts,
    claims, lease_ns, created_ns, started_ns, ended_ns, worker, progress, doing, parameters, result,
    error, cancel)
    SELECT 'media-check', id, device, 1, 0, 0, 0, 3, 0, 0, committed_ns, 0, 0, '', 0, '', '', '',
      '', 0 FROM clip WHERE media_state = 1 AND NOT EXISTS (SELECT 1 FROM job AS other WHERE
      other.subject = clip.id AND other.kind = 'media-check' AND other.state < 3) ORDER BY arrival;
  DELETE FROM tally WHERE dimension = 'job' AND value = '1 media-check';
  INSERT INTO tally (dimension, value, clips, bytes)
    SELECT 'job', '1 media-check', COUNT(*), 0 FROM job WHERE kind = 'media-check' AND state = 1;
)"};

absl::Status ForEachThumbnail(Sql& sql, const std::function<absl::Status(const NamedBlob&)>& each) {
  std::vector<NamedBlob> thumbnails;
  NamedBlob thumbnail;
  sql.Query(
      "SELECT thumbnail.blob, clip.id FROM thumbnail JOIN clip ON clip.arrival = thumbnail.arrival",
      In(), Out(thumbnail.id, thumbnail.clip), [&] { thumbnails.push_back(thumbnail); });
  for (const NamedBlob& one : thumbnails) RETURN_IF_ERROR(each(one));
  return absl::OkStatus();
}

}  // namespace

RoomTables MediaTables() { return {.room = "media", .migrations = kMigrations}; }

NamingTable ThumbnailNames() { return {.table = "thumbnail", .for_each = &ForEachThumbnail}; }

void AskForMediaCheck(Sql& sql, std::string_view device, std::string_view clip_id,
                      int64_t now_unix_ns) {
  AddJob(sql, {.kind = kMediaCheck, .subject = clip_id, .share = device}, now_unix_ns);
}

bool WasChecked(Sql& sql, std::string_view clip_id) {
  int state = 0, reason = 0;
  sql.Query("SELECT media_state, media_reason FROM clip WHERE id = :id", In(clip_id),
            Out(state, reason), [] {});
  return state != v1::MediaCheck::STATE_PENDING && reason != v1::MediaCheck::REASON_CANCELLED;
}

absl::Status RecordMediaCheck(Sql& sql, std::string_view clip_id, const v1::MediaCheck& check,
                              const std::vector<ObjectKey>& thumbnails) {
  uint64_t arrival = 0;
  RETURN_IF_ERROR(SetMedia(sql, clip_id, check, thumbnails.size(), &arrival));
  std::vector<BlobId> replaced;
  BlobId blob;
  sql.Query("SELECT blob FROM thumbnail WHERE arrival = :arrival", In(arrival), Out(blob),
            [&] { replaced.push_back(blob); });
  for (const BlobId& one : replaced) AddRubbish(sql, one, "", 0);
  sql.Run("DELETE FROM thumbnail WHERE arrival = :arrival", In(arrival));
  for (size_t i = 0; i < thumbnails.size(); ++i) {
    sql.Run("INSERT INTO thumbnail (arrival, position, blob) VALUES (:arrival, :position, :blob)",
            In(arrival, i, thumbnails[i]));
  }
  CountNames(sql, static_cast<int64_t>(thumbnails.size()) - static_cast<int64_t>(replaced.size()));
  return absl::OkStatus();
}

absl::StatusOr<ClipMedia> MediaChecks::Find(std::string_view clip_id) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<ClipMedia> {
    ASSIGN_OR_RETURN(ManifestRow row, ReadManifestOfClip(sql, clip_id));
    v1::ClipManifest manifest;
    if (!manifest.ParseFromString(row.bytes)) {
      return absl::DataLossError(fmt::format("manifest of clip {}", clip_id));
    }
    ClipMedia media{.device = manifest.device(), .manifest = std::move(row.bytes)};
    media.key.sequence = manifest.key().sequence();
    ASSIGN_OR_RETURN(media.key.boot_id, BootIdFromBytes(manifest.key().boot_id()));
    const std::vector<BlobId> blobs = ReadBlobs(sql, row.number);
    for (int o = 0; o < manifest.objects_size(); ++o) {
      if (manifest.objects(o).kind() == v1::ClipObject::KIND_VIDEO) {
        media.videos.push_back(blobs.at(static_cast<size_t>(o)));
      }
    }
    media.checked = WasChecked(sql, clip_id);
    return media;
  });
}

absl::StatusOr<ObjectKey> MediaChecks::FindThumbnail(std::string_view clip_id, size_t index) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<ObjectKey> {
    uint64_t arrival = 0;
    if (!sql.Query("SELECT arrival FROM clip WHERE id = :id", In(clip_id), Out(arrival), [] {})) {
      return NoClip(clip_id);
    }
    BlobId blob;
    if (!sql.Query("SELECT blob FROM thumbnail WHERE arrival = :arrival AND position = :position",
                   In(arrival, index), Out(blob), [] {})) {
      return absl::NotFoundError(fmt::format("clip {} has no thumbnail {}", clip_id, index));
    }
    return blob;
  });
}

}  // namespace gleaner::cloud
