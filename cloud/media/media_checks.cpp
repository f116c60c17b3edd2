#include "cloud/media/media_checks.h"

#include <fmt/format.h>

#include <array>

#include "cloud/clips/clip_rows.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr std::array<std::string_view, 1> kMigrations = {R"(
  CREATE TABLE thumbnail (
    arrival BIGINT NOT NULL, position BIGINT NOT NULL, blob TEXT NOT NULL,
    PRIMARY KEY (arrival, position));
  CREATE INDEX thumbnail_blob ON thumbnail (blob);
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

absl::StatusOr<std::vector<std::string>> MediaChecks::DevicesWithPending() {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<std::vector<std::string>> {
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

absl::StatusOr<std::vector<MediaJob>> MediaChecks::Pending(std::string_view device, size_t limit) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<std::vector<MediaJob>> {
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

absl::Status MediaChecks::Record(std::string_view clip_id, const v1::MediaCheck& check,
                                 const std::vector<BlobId>& thumbnails) {
  return database_.Write([&](Sql& sql) -> absl::Status {
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
    CountNames(sql,
               static_cast<int64_t>(thumbnails.size()) - static_cast<int64_t>(replaced.size()));
    return absl::OkStatus();
  });
}

absl::StatusOr<BlobId> MediaChecks::FindThumbnail(std::string_view clip_id, size_t index) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<BlobId> {
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
