#include "cloud/database/legacy_schema.h"

#include <array>

#include "common/crash_point.h"
#include "common/log.h"

namespace gleaner::cloud {
namespace {

// Binary keys and digests are lower-case hex; times are Unix nanoseconds. Not to be changed.
constexpr std::array<std::string_view, 7> kLegacyMigrations = {
    R"(
  CREATE TABLE counter (name TEXT PRIMARY KEY, value BIGINT NOT NULL);

  -- Every manifest that was taken, from its first progress or its commit on, and its objects' blobs.
  -- While a row of upload refers to it, it is an upload under way; then a row of clip does.
  CREATE TABLE manifest (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    device TEXT NOT NULL, boot_id TEXT NOT NULL, sequence BIGINT NOT NULL,
    sha256 TEXT NOT NULL, begun_ns BIGINT NOT NULL, bytes BLOB NOT NULL,
    UNIQUE (device, boot_id, sequence));
  CREATE TABLE object (
    manifest BIGINT NOT NULL, position INTEGER NOT NULL, blob TEXT NOT NULL,
    PRIMARY KEY (manifest, position));
  CREATE INDEX object_blob ON object (blob);
  CREATE TABLE upload (manifest INTEGER PRIMARY KEY, device TEXT NOT NULL, begun_ns BIGINT NOT NULL);
  CREATE INDEX upload_device ON upload (device);
  CREATE TABLE conflict (
    device TEXT NOT NULL, boot_id TEXT NOT NULL, sequence BIGINT NOT NULL, offered TEXT NOT NULL,
    first_ns BIGINT NOT NULL, last_ns BIGINT NOT NULL, times BIGINT NOT NULL,
    PRIMARY KEY (device, boot_id, sequence));

  -- arrival: the order of commits, never used twice; pages of lists are keyed by it.
  CREATE TABLE clip (
    arrival INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, manifest BIGINT NOT NULL UNIQUE,
    device TEXT NOT NULL, site TEXT NOT NULL, rule TEXT NOT NULL, camera TEXT NOT NULL,
    boot_id TEXT NOT NULL, sequence BIGINT NOT NULL,
    fired_ns BIGINT NOT NULL, committed_ns BIGINT NOT NULL, duration_ns BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL, frame_count BIGINT NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL,
    has_preview INTEGER NOT NULL, priority INTEGER NOT NULL,
    media_state INTEGER NOT NULL, media_problem TEXT NOT NULL,
    decoded_frames BIGINT NOT NULL, thumbnails INTEGER NOT NULL);
  CREATE INDEX clip_device ON clip (device, arrival);
  CREATE INDEX clip_site ON clip (site, arrival);
  CREATE INDEX clip_rule ON clip (rule, arrival);
  CREATE INDEX clip_fired ON clip (fired_ns);
  CREATE INDEX clip_media_pending ON clip (arrival) WHERE media_state = 1;
  CREATE TABLE track (
    arrival BIGINT NOT NULL, position INTEGER NOT NULL, camera TEXT NOT NULL, codec TEXT NOT NULL,
    PRIMARY KEY (arrival, position));
  CREATE TABLE thumbnail (
    arrival BIGINT NOT NULL, position INTEGER NOT NULL, blob TEXT NOT NULL,
    PRIMARY KEY (arrival, position));
  CREATE INDEX thumbnail_blob ON thumbnail (blob);

  -- Roll-ups, kept in the transactions that change what they count.
  CREATE TABLE tally (
    dimension TEXT NOT NULL, value TEXT NOT NULL, clips BIGINT NOT NULL, bytes BIGINT NOT NULL,
    PRIMARY KEY (dimension, value));

  CREATE TABLE device (
    name TEXT PRIMARY KEY, site TEXT NOT NULL,
    first_seen_ns BIGINT NOT NULL, last_seen_ns BIGINT NOT NULL,
    hello BLOB NOT NULL, heartbeat BLOB NOT NULL);

  -- The ledger. settled: the numbers that ended, committed or with a tombstone, as closed ranges that
  -- never touch. gap: what nobody could account for at the last report, less what arrived since.
  CREATE TABLE boot (
    device TEXT NOT NULL, boot_id TEXT NOT NULL, last_sequence BIGINT NOT NULL,
    PRIMARY KEY (device, boot_id));
  CREATE TABLE settled (
    device TEXT NOT NULL, boot_id TEXT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,
    PRIMARY KEY (device, boot_id, first));
  CREATE TABLE gap (
    device TEXT NOT NULL, boot_id TEXT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,
    PRIMARY KEY (device, boot_id, first));
  CREATE TABLE tombstone (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    device TEXT NOT NULL, boot_id TEXT NOT NULL, sequence BIGINT NOT NULL, state INTEGER NOT NULL,
    reason TEXT NOT NULL, rule TEXT NOT NULL,
    monotonic_ns BIGINT NOT NULL, wall_ns BIGINT NOT NULL, uncertainty_ns BIGINT NOT NULL,
    UNIQUE (device, boot_id, sequence));
  CREATE INDEX tombstone_recent ON tombstone (device, number);
)",
    R"(
  -- What is reserved for an upload under way.
  ALTER TABLE upload ADD COLUMN size_bytes BIGINT NOT NULL DEFAULT 0;
)",
    R"(
  -- For filters by what few clips have.
  CREATE INDEX track_camera ON track (camera, arrival);
  CREATE INDEX track_codec ON track (codec, arrival);
  CREATE INDEX clip_media_failed ON clip (arrival) WHERE media_state = 3;
)",
    R"(
  -- open: see catalog_ledger.cpp. Gaps get a bound a device and roll-ups: see ledger_gaps.h.
  ALTER TABLE boot ADD COLUMN open INTEGER NOT NULL DEFAULT 1;
  CREATE INDEX boot_open ON boot (device) WHERE open = 1;
  DELETE FROM gap WHERE (device, boot_id, first) IN (
    SELECT device, boot_id, first FROM (
      SELECT device, boot_id, first,
        ROW_NUMBER() OVER (PARTITION BY device ORDER BY boot_id, first) AS place FROM gap) AS placed
    WHERE place > 4096);
  INSERT INTO tally (dimension, value, clips, bytes)
    SELECT 'gaps', device, SUM(CASE WHEN last - first > 4294967295 THEN 4294967296
      ELSE last - first + 1 END), 0 FROM gap GROUP BY device;
  INSERT INTO tally (dimension, value, clips, bytes)
    SELECT 'gaps', '', COALESCE(SUM(clips), 0), 0 FROM tally WHERE dimension = 'gaps';
  INSERT INTO tally (dimension, value, clips, bytes)
    SELECT 'gap_ranges', device, COUNT(*), 0 FROM gap GROUP BY device;
  INSERT INTO tally (dimension, value, clips, bytes)
    SELECT 'settled_ranges', device, COUNT(*), 0 FROM settled GROUP BY device;
)",
    R"(
  -- So that devices take turns at the media checks.
  CREATE INDEX clip_media_turn ON clip (device, arrival) WHERE media_state = 1;
)",
    R"(
  -- Which blobs this is the catalog of: see data_folder.h. One row. id and history: empty until the
  -- blob folder has them, too. named: how often blobs were given a name; it never falls. names: rows
  -- of object and thumbnail.
  CREATE TABLE store (
    id TEXT NOT NULL, history TEXT NOT NULL, named BIGINT NOT NULL, names BIGINT NOT NULL);
  INSERT INTO store (id, history, named, names) SELECT '', '', (SELECT COUNT(*) FROM manifest),
    (SELECT COUNT(*) FROM object) + (SELECT COUNT(*) FROM thumbnail);
  -- Blobs that were named and are no more, until their bytes are free; of which device's upload.
  CREATE TABLE rubbish (blob TEXT PRIMARY KEY, device TEXT NOT NULL, size_bytes BIGINT NOT NULL);
  CREATE INDEX rubbish_device ON rubbish (device);
  -- Runs of bytes that nothing names and that may be somebody's, by names of their own.
  CREATE TABLE kept (blob TEXT PRIMARY KEY, size_bytes BIGINT NOT NULL, since_ns BIGINT NOT NULL);
)",
    R"(
  -- Why a media check found what it found; 0 in those of before.
  ALTER TABLE clip ADD COLUMN media_reason INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE clip ADD COLUMN damaged_frames BIGINT NOT NULL DEFAULT 0;
  CREATE INDEX clip_media_reason ON clip (media_reason, arrival) WHERE media_reason > 0;
  -- Cameras whose pictures came damaged, while that is news.
  CREATE TABLE camera_damage (
    device TEXT NOT NULL, camera TEXT NOT NULL, clips BIGINT NOT NULL, frames BIGINT NOT NULL,
    first_ns BIGINT NOT NULL, last_ns BIGINT NOT NULL, PRIMARY KEY (device, camera));
)",
};

// The rooms whose first versions these tables are.
constexpr std::array<std::string_view, 7> kRooms = {"tally",  "store", "ledger", "clips",
                                                    "ingest", "media", "fleet"};

// What an earlier program reads then, and refuses with the sentence for a newer one's.
constexpr uint64_t kLeft = 1000;

}  // namespace

uint64_t LegacyVersion(Sql& sql) {
  uint64_t version = 0;
  if (sql.connection().HasTable("schema_version")) {
    sql.Query("SELECT version FROM schema_version", In(), Out(version), [] {});
  }
  return version == kLeft ? 0 : version;
}

absl::Status LeaveLegacySchema(Sql& sql) {
  uint64_t version = LegacyVersion(sql);
  if (version == 0) return absl::OkStatus();
  for (; version < kLegacyMigrations.size(); ++version) {
    sql.connection().BeginWriting();
    sql.connection().Define(kLegacyMigrations[version]);
    sql.Run("UPDATE schema_version SET version = :version", In(version + 1));
    sql.connection().Commit();
    LOG_INFO("catalog migrated to schema version {}", version + 1);
    GLEANER_CRASH_POINT("catalog.migrated");
  }
  sql.connection().BeginWriting();
  for (const std::string_view room : kRooms) {
    sql.Run("INSERT INTO room (name, version) VALUES (:name, 1) ON CONFLICT (name) DO NOTHING",
            In(room));
  }
  sql.Run("UPDATE schema_version SET version = :left", In(kLeft));
  sql.connection().Commit();
  GLEANER_CRASH_POINT("catalog.migrated");
  return absl::OkStatus();
}

}  // namespace gleaner::cloud
