// What the media worker asks and tells, and what is served of a clip: objects, thumbnails,
// manifest.
#include <fmt/format.h>

#include "cloud/store/sqlite_catalog.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

std::string_view TallyOf(int state) {
  if (state == v1::MediaCheck::STATE_OK) return "media_ok";
  if (state == v1::MediaCheck::STATE_FAILED) return "media_failed";
  return "";
}

absl::Status NoClip(std::string_view clip_id) {
  return absl::NotFoundError(fmt::format("no clip has the id \"{}\"", clip_id));
}

std::string_view NameOf(v1::ClipObject::Kind kind) {
  switch (kind) {
    case v1::ClipObject::KIND_PREVIEW:
      return "preview";
    case v1::ClipObject::KIND_SAMPLES:
      return "samples object";
    default:
      return "video";
  }
}

bool ReadManifest(Sql& sql, std::string_view clip_id, uint64_t* number, std::string* sha256,
                  std::string* bytes) {
  BytesOut out{bytes};
  return sql.Query(
      "SELECT manifest.number, manifest.sha256, manifest.bytes FROM clip JOIN manifest ON "
      "manifest.number = clip.manifest WHERE clip.id = :id",
      In(clip_id), Out(*number, *sha256, out), [] {});
}

std::vector<BlobId> ReadBlobs(Sql& sql, uint64_t manifest) {
  std::vector<BlobId> blobs;
  BlobId blob;
  sql.Query("SELECT blob FROM object WHERE manifest = :manifest ORDER BY position", In(manifest),
            Out(blob), [&] { blobs.push_back(blob); });
  return blobs;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> SqliteCatalog::DevicesWithPendingMedia() {
  return Reading([&](Sql& sql) -> absl::StatusOr<std::vector<std::string>> {
    std::vector<std::string> devices;
    std::string device;
    // From one device to the next through the index, without a look at each clip that waits.
    sql.Query(
        "WITH RECURSIVE pending (name) AS (SELECT MIN(device) FROM clip WHERE media_state = 1 "
        "UNION ALL SELECT (SELECT MIN(device) FROM clip WHERE media_state = 1 AND device > "
        "pending.name) FROM pending WHERE pending.name IS NOT NULL) "
        "SELECT name FROM pending WHERE name IS NOT NULL",
        In(), Out(device), [&] { devices.push_back(device); });
    return devices;
  });
}

absl::StatusOr<std::vector<MediaJob>> SqliteCatalog::PendingMedia(std::string_view device,
                                                                  size_t limit) {
  return Reading([&](Sql& sql) -> absl::StatusOr<std::vector<MediaJob>> {
    std::vector<MediaJob> jobs;
    std::vector<uint64_t> numbers;
    MediaJob job{.device = std::string(device)};
    uint64_t number = 0;
    BytesOut bytes{&job.manifest};
    sql.Query(
        "SELECT clip.id, manifest.number, manifest.bytes FROM clip JOIN manifest ON "
        "manifest.number = clip.manifest WHERE clip.device = :device AND clip.media_state = 1 "
        "ORDER BY clip.arrival LIMIT :limit",
        In(device, limit), Out(job.clip_id, number, bytes), [&] {
          jobs.push_back(job);
          numbers.push_back(number);
        });
    for (size_t i = 0; i < jobs.size(); ++i) {
      v1::ClipManifest manifest;
      if (!manifest.ParseFromString(jobs[i].manifest)) {
        return absl::DataLossError(fmt::format("manifest of clip {}", jobs[i].clip_id));
      }
      const std::vector<BlobId> blobs = ReadBlobs(sql, numbers[i]);
      for (int o = 0; o < manifest.objects_size(); ++o) {
        if (manifest.objects(o).kind() == v1::ClipObject::KIND_VIDEO) {
          jobs[i].videos.push_back(blobs.at(static_cast<size_t>(o)));
        }
      }
    }
    return jobs;
  });
}

absl::Status SqliteCatalog::RecordMedia(std::string_view clip_id, const v1::MediaCheck& check,
                                        const std::vector<BlobId>& thumbnails) {
  return Write([&](Sql& sql) -> absl::Status {
    uint64_t arrival = 0;
    int before = 0;
    if (!sql.Query("SELECT arrival, media_state FROM clip WHERE id = :id", In(clip_id),
                   Out(arrival, before), [] {})) {
      return NoClip(clip_id);
    }
    sql.Run(
        "UPDATE clip SET media_state = :state, media_problem = :problem, media_reason = :reason, "
        "decoded_frames = :frames, damaged_frames = :damaged, thumbnails = :thumbnails WHERE "
        "arrival = :arrival",
        In(check.state(), check.problem(), check.reason(), check.decoded_frames(),
           check.damaged_frames(), thumbnails.size(), arrival));
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
    CountNames(sql,
               static_cast<int64_t>(thumbnails.size()) - static_cast<int64_t>(replaced.size()));
    if (before != check.state()) {
      if (const auto name = TallyOf(before); !name.empty()) Tally(sql, name, "", -1);
      if (const auto name = TallyOf(check.state()); !name.empty()) Tally(sql, name, "", 1);
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<ObjectRow> SqliteCatalog::FindObject(std::string_view clip_id,
                                                    v1::ClipObject::Kind kind, size_t index) {
  return Reading([&](Sql& sql) -> absl::StatusOr<ObjectRow> {
    uint64_t number = 0;
    std::string sha256, bytes;
    if (!ReadManifest(sql, clip_id, &number, &sha256, &bytes)) return NoClip(clip_id);
    v1::ClipManifest manifest;
    if (!manifest.ParseFromString(bytes)) {
      return absl::DataLossError(fmt::format("manifest of clip {}", clip_id));
    }
    size_t seen = 0;
    for (int i = 0; i < manifest.objects_size(); ++i) {
      const v1::ClipObject& object = manifest.objects(i);
      if (object.kind() != kind || seen++ != index) continue;
      return ObjectRow{.blob = ReadBlobs(sql, number).at(static_cast<size_t>(i)),
                       .content_type = object.content_type(),
                       .size_bytes = object.size_bytes(),
                       .sha256 = DigestFromHex(Hex(object.sha256()))};
    }
    return absl::NotFoundError(
        seen == 0 ? fmt::format("clip {} has no {}", clip_id, NameOf(kind))
                  : fmt::format("clip {} has no {} number {}", clip_id, NameOf(kind), index));
  });
}

absl::StatusOr<BlobId> SqliteCatalog::FindThumbnail(std::string_view clip_id, size_t index) {
  return Reading([&](Sql& sql) -> absl::StatusOr<BlobId> {
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

absl::StatusOr<ManifestRow> SqliteCatalog::FindManifest(std::string_view clip_id) {
  return Reading([&](Sql& sql) -> absl::StatusOr<ManifestRow> {
    uint64_t number = 0;
    std::string sha256;
    ManifestRow row;
    if (!ReadManifest(sql, clip_id, &number, &sha256, &row.bytes)) return NoClip(clip_id);
    row.sha256 = DigestFromHex(sha256);
    return row;
  });
}

}  // namespace gleaner::cloud
