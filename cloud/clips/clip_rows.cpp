#include "cloud/clips/clip_rows.h"

#include <fmt/format.h>

#include <array>

#include "cloud/clips/clip_news.h"
#include "cloud/database/columns.h"
#include "cloud/database/tally.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr std::array<std::string_view, 4> kMigrations = {
    R"(
  CREATE TABLE manifest (
    number NUMBERED,
    device TEXT NOT NULL, boot_id TEXT NOT NULL, sequence BIGINT NOT NULL,
    sha256 TEXT NOT NULL, begun_ns BIGINT NOT NULL, bytes BYTES NOT NULL,
    UNIQUE (device, boot_id, sequence));
  CREATE TABLE object (
    manifest BIGINT NOT NULL, position BIGINT NOT NULL, blob TEXT NOT NULL,
    PRIMARY KEY (manifest, position));
  CREATE INDEX object_blob ON object (blob);

  -- arrival: the order of commits, never used twice; pages of lists are keyed by it.
  CREATE TABLE clip (
    arrival NUMBERED,
    id TEXT NOT NULL UNIQUE, manifest BIGINT NOT NULL UNIQUE,
    device TEXT NOT NULL, site TEXT NOT NULL, rule TEXT NOT NULL, camera TEXT NOT NULL,
    boot_id TEXT NOT NULL, sequence BIGINT NOT NULL,
    fired_ns BIGINT NOT NULL, committed_ns BIGINT NOT NULL, duration_ns BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL, frame_count BIGINT NOT NULL,
    width BIGINT NOT NULL, height BIGINT NOT NULL,
    has_preview BIGINT NOT NULL, priority BIGINT NOT NULL,
    media_state BIGINT NOT NULL, media_problem TEXT NOT NULL,
    decoded_frames BIGINT NOT NULL, thumbnails BIGINT NOT NULL,
    media_reason BIGINT NOT NULL DEFAULT 0, damaged_frames BIGINT NOT NULL DEFAULT 0);
  CREATE INDEX clip_device ON clip (device, arrival);
  CREATE INDEX clip_site ON clip (site, arrival);
  CREATE INDEX clip_rule ON clip (rule, arrival);
  CREATE INDEX clip_fired ON clip (fired_ns);
  CREATE INDEX clip_media_pending ON clip (arrival) WHERE media_state = 1;
  CREATE INDEX clip_media_failed ON clip (arrival) WHERE media_state = 3;
  CREATE INDEX clip_media_reason ON clip (media_reason, arrival) WHERE media_reason > 0;
  -- So that devices take turns at the media checks.
  CREATE INDEX clip_media_turn ON clip (device, arrival) WHERE media_state = 1;
  CREATE TABLE track (
    arrival BIGINT NOT NULL, position BIGINT NOT NULL, camera TEXT NOT NULL, codec TEXT NOT NULL,
    PRIMARY KEY (arrival, position));
  CREATE INDEX track_camera ON track (camera, arrival);
  CREATE INDEX track_codec ON track (codec, arrival);
)",
    R"(
  -- Jobs take turns now.
  DROP INDEX clip_media_turn;
)",
    R"(
  -- While an upload is under way, blob is where the object is staged, and becomes what it will be
  -- called where objects lie elsewhere: whoever puts it there has written down its key before.
  ALTER TABLE object ADD COLUMN becomes TEXT NOT NULL DEFAULT '';
)",
    R"(
  -- Each has what filters ask for most, so that a count needs none of the rows, which lie apart;
  -- and device and rule together, because a planner may well begin with the rule, which most have.
  DROP INDEX clip_device;
  DROP INDEX clip_site;
  DROP INDEX clip_rule;
  CREATE INDEX clip_device ON clip (device, arrival, rule, site, fired_ns);
  CREATE INDEX clip_device_rule ON clip (device, rule, arrival, site, fired_ns);
  CREATE INDEX clip_site ON clip (site, arrival, rule, device, fired_ns);
  CREATE INDEX clip_site_rule ON clip (site, rule, arrival, device, fired_ns);
  CREATE INDEX clip_rule ON clip (rule, arrival, device, site, fired_ns);
)",
};

constexpr int kManifestsAtOnce = 256;

std::string_view TallyOf(int state) {
  if (state == v1::MediaCheck::STATE_OK) return "media_ok";
  if (state == v1::MediaCheck::STATE_FAILED) return "media_failed";
  return "";
}

struct ManifestOfClip {
  uint64_t number = 0;
  std::string clip, bytes;
};

absl::Status ForEachObject(Sql& sql, const std::function<absl::Status(const NamedBlob&)>& each) {
  std::vector<ManifestOfClip> page;
  uint64_t after = 0;
  do {
    page.clear();
    ManifestOfClip one;
    BytesOut out{&one.bytes};
    sql.Query(
        "SELECT manifest.number, clip.id, manifest.bytes FROM manifest JOIN clip ON clip.manifest "
        "= manifest.number WHERE manifest.number > :after ORDER BY manifest.number LIMIT :limit",
        In(after, kManifestsAtOnce), Out(one.number, one.clip, out), [&] { page.push_back(one); });
    for (const ManifestOfClip& manifest : page) {
      after = manifest.number;
      v1::ClipManifest described;
      if (!described.ParseFromString(manifest.bytes)) {
        return absl::DataLossError(fmt::format("the manifest of clip {}", manifest.clip));
      }
      const std::vector<BlobId> blobs = ReadBlobs(sql, manifest.number);
      for (size_t i = 0; i < blobs.size(); ++i) {
        NamedBlob blob{.id = blobs[i], .clip = manifest.clip};
        if (i < static_cast<size_t>(described.objects_size())) {
          blob.sha256 = DigestFromBytes(described.objects(static_cast<int>(i)).sha256());
        }
        RETURN_IF_ERROR(each(blob));
      }
    }
  } while (!page.empty());
  return absl::OkStatus();
}

}  // namespace

RoomTables ClipTables() { return {.room = "clips", .migrations = kMigrations}; }

NamingTable ObjectNames() { return {.table = "object", .for_each = &ForEachObject}; }

uint64_t InsertManifest(Sql& sql, const NewManifest& manifest) {
  uint64_t number = 0;
  sql.Query(
      "INSERT INTO manifest (device, boot_id, sequence, sha256, begun_ns, bytes) VALUES "
      "(:device, :boot, :sequence, :sha256, :begun, :bytes) RETURNING number",
      In(manifest.device, HexOf(manifest.key.boot_id), manifest.key.sequence,
         HexOf(manifest.sha256), manifest.begun_unix_ns, Bytes{manifest.bytes}),
      Out(number), [] {});
  for (size_t i = 0; i < manifest.blobs.size(); ++i) {
    sql.Run(
        "INSERT INTO object (manifest, position, blob, becomes) VALUES (:manifest, :position, "
        ":blob, :becomes)",
        In(number, i, manifest.blobs[i],
           i < manifest.keys.size() ? std::string_view(manifest.keys[i]) : ""));
  }
  CountNames(sql, static_cast<int64_t>(manifest.blobs.size()));
  return number;
}

void RemoveManifest(Sql& sql, uint64_t number) {
  std::string device, bytes;
  BytesOut out{&bytes};
  sql.Query("SELECT device, bytes FROM manifest WHERE number = :manifest", In(number),
            Out(device, out), [] {});
  v1::ClipManifest described;
  described.ParseFromString(bytes);  // it did when it was offered
  const std::vector<BlobId> blobs = ReadBlobs(sql, number);
  for (size_t i = 0; i < blobs.size(); ++i) {
    const auto object = static_cast<int>(i);
    const uint64_t size =
        object < described.objects_size() ? described.objects(object).size_bytes() : 0;
    AddRubbish(sql, blobs[i], device, size);
  }
  for (const ObjectKey& key : ReadKeys(sql, number)) AddRubbish(sql, key, device, 0);
  sql.Run("DELETE FROM object WHERE manifest = :manifest", In(number));
  sql.Run("DELETE FROM manifest WHERE number = :manifest", In(number));
  CountNames(sql, -static_cast<int64_t>(blobs.size()));
}

std::optional<HeldManifest> FindManifest(Sql& sql, std::string_view device, const ClipKey& key) {
  HeldManifest held;
  std::string sha256;
  const bool found = sql.Query(
      "SELECT number, sha256, EXISTS (SELECT 1 FROM clip WHERE clip.manifest = manifest.number) "
      "FROM manifest WHERE device = :device AND boot_id = :boot AND sequence = :sequence",
      In(device, HexOf(key.boot_id), key.sequence), Out(held.number, sha256, held.committed),
      [] {});
  if (!found) return std::nullopt;
  held.sha256 = DigestFromHex(sha256);
  return held;
}

std::vector<BlobId> ReadBlobs(Sql& sql, uint64_t manifest) {
  std::vector<BlobId> blobs;
  BlobId blob;
  sql.Query("SELECT blob FROM object WHERE manifest = :manifest ORDER BY position", In(manifest),
            Out(blob), [&] { blobs.push_back(blob); });
  return blobs;
}

std::vector<ObjectKey> ReadKeys(Sql& sql, uint64_t manifest) {
  std::vector<ObjectKey> keys;
  ObjectKey key;
  sql.Query(
      "SELECT becomes FROM object WHERE manifest = :manifest AND becomes <> '' ORDER BY position",
      In(manifest), Out(key), [&] { keys.push_back(key); });
  return keys;
}

void NameObjects(Sql& sql, uint64_t manifest) {
  sql.Run("UPDATE object SET blob = becomes, becomes = '' WHERE manifest = :manifest",
          In(manifest));
}

void InsertClip(Sql& sql, uint64_t number, std::string_view device, const ClipKey& key,
                const v1::ClipManifest& manifest, int64_t committed_unix_ns) {
  sql.Announce(kClipChanged, ClipId(device, key));
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
  const std::string boot = HexOf(key.boot_id);
  uint64_t arrival = 0;
  sql.Query(
      "INSERT INTO clip (id, manifest, device, site, rule, camera, boot_id, sequence, fired_ns, "
      "committed_ns, duration_ns, size_bytes, frame_count, width, height, has_preview, priority, "
      "media_state, media_problem, decoded_frames, thumbnails) VALUES (:id, :manifest, :device, "
      ":site, :rule, :camera, :boot, :sequence, :fired, :committed, :duration, :size, :frames, "
      ":width, :height, :preview, :priority, :media, '', 0, 0) RETURNING arrival",
      In(ClipId(device, key), number, device, manifest.site(), manifest.trigger().rule(),
         first.camera(), boot, key.sequence, manifest.fired_at().wall_unix_ns(), committed_unix_ns,
         duration, size, first.frame_count(), first.width(), first.height(), has_preview,
         manifest.trigger().priority(), media),
      Out(arrival), [] {});
  for (int i = 0; i < manifest.video_size(); ++i) {
    sql.Run(
        "INSERT INTO track (arrival, position, camera, codec) VALUES (:arrival, :position, "
        ":camera, :codec)",
        In(arrival, i, manifest.video(i).camera(), manifest.video(i).codec()));
  }
  const auto bytes = static_cast<int64_t>(size);
  Tally(sql, "all", "", 1, bytes);
  Tally(sql, "device", device, 1, bytes);
  Tally(sql, "site", manifest.site(), 1, bytes);
  Tally(sql, "rule", manifest.trigger().rule(), 1, bytes);
  if (media == v1::MediaCheck::STATE_OK) Tally(sql, "media_ok", "", 1);
}

absl::Status NoClip(std::string_view clip_id) {
  return absl::NotFoundError(fmt::format("no clip has the id \"{}\"", clip_id));
}

absl::Status SetMedia(Sql& sql, std::string_view clip_id, const v1::MediaCheck& check,
                      uint64_t thumbnails, uint64_t* arrival) {
  int before = 0;
  if (!sql.Query("SELECT arrival, media_state FROM clip WHERE id = :id", In(clip_id),
                 Out(*arrival, before), [] {})) {
    return NoClip(clip_id);
  }
  sql.Run(
      "UPDATE clip SET media_state = :state, media_problem = :problem, media_reason = :reason, "
      "decoded_frames = :frames, damaged_frames = :damaged, thumbnails = :thumbnails WHERE "
      "arrival = :arrival",
      In(check.state(), check.problem(), check.reason(), check.decoded_frames(),
         check.damaged_frames(), thumbnails, *arrival));
  if (before != check.state()) {
    if (const auto name = TallyOf(before); !name.empty()) Tally(sql, name, "", -1);
    if (const auto name = TallyOf(check.state()); !name.empty()) Tally(sql, name, "", 1);
  }
  sql.Announce(kClipChanged, clip_id);
  return absl::OkStatus();
}

absl::StatusOr<ManifestRow> ReadManifestOfClip(Sql& sql, std::string_view clip_id) {
  ManifestRow row;
  std::string sha256;
  BytesOut bytes{&row.bytes};
  if (!sql.Query("SELECT manifest.number, manifest.sha256, manifest.bytes FROM clip JOIN manifest "
                 "ON manifest.number = clip.manifest WHERE clip.id = :id",
                 In(clip_id), Out(row.number, sha256, bytes), [] {})) {
    return NoClip(clip_id);
  }
  row.sha256 = DigestFromHex(sha256);
  return row;
}

std::map<std::string, ClipCount, std::less<>> CountClipsByDevice(Sql& sql, std::string_view only) {
  std::map<std::string, ClipCount, std::less<>> counts;
  if (!only.empty()) {
    ClipCount count;
    count.clips = ReadTally(sql, "device", only, &count.bytes);
    counts.emplace(only, count);
    return counts;
  }
  std::string name;
  ClipCount count;
  sql.Query("SELECT value, clips, bytes FROM tally WHERE dimension = 'device'", In(),
            Out(name, count.clips, count.bytes), [&] { counts[name] = count; });
  return counts;
}

}  // namespace gleaner::cloud
