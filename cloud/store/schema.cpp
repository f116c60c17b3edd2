#include "cloud/store/schema.h"

#include <fmt/format.h>

#include <array>

#include "common/log.h"

namespace gleaner::cloud {
namespace {

// Binary keys and digests are lower-case hex; times are Unix nanoseconds.
constexpr std::array<std::string_view, 3> kMigrations = {R"(
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
)"};

// SOCI would take a ":" in a comment for a parameter.
std::string WithoutComments(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    out += line.substr(0, line.find("--"));
    out += '\n';
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return out;
}

}  // namespace

absl::Status Migrate(Sql& sql) {
  sql.Script("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)");
  size_t version = 0;
  sql.Query("SELECT version FROM schema_version", In(), Out(version), [] {});
  if (version > kMigrations.size()) {
    return absl::FailedPreconditionError(fmt::format(
        "the catalogue has schema version {}, this program knows up to {}: a newer gleaner-cloud "
        "wrote it; run that one",
        version, kMigrations.size()));
  }
  for (; version < kMigrations.size(); ++version) {
    sql.Begin();
    sql.Script(WithoutComments(kMigrations[version]));
    sql.Script("DELETE FROM schema_version");
    sql.Run("INSERT INTO schema_version (version) VALUES (:v)", In(version + 1));
    sql.Commit();
    LOG_INFO("catalogue migrated to schema version {}", version + 1);
  }
  return absl::OkStatus();
}

}  // namespace gleaner::cloud
