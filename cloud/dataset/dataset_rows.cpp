#include "cloud/dataset/dataset_rows.h"

#include <fmt/format.h>

#include <array>

#include "cloud/dataset/parts.h"

namespace gleaner::cloud {
namespace {

constexpr std::array<std::string_view, 2> kMigrations = {
    R"(
  -- 1: the key that says which split a group is in. Never changed: splits would move. 2: what signs
  -- URLs.
  CREATE TABLE dataset_key (number BIGINT NOT NULL PRIMARY KEY, secret TEXT NOT NULL);

  -- phash: 64 bits. grp: the group, see splits.h.
  CREATE TABLE seal (
    clip TEXT NOT NULL, camera TEXT NOT NULL, pts BIGINT NOT NULL,
    device TEXT NOT NULL, taken_ns BIGINT NOT NULL, phash BIGINT NOT NULL, grp TEXT NOT NULL,
    PRIMARY KEY (clip, camera, pts));
  CREATE INDEX seal_near ON seal (device, camera, taken_ns);
  -- Other groups that the frame looks as if it were of.
  CREATE TABLE seal_tie (
    clip TEXT NOT NULL, camera TEXT NOT NULL, pts BIGINT NOT NULL, other TEXT NOT NULL,
    PRIMARY KEY (clip, camera, pts, other));

  -- A piece of a file. owner: which file.
  CREATE TABLE dataset_part (
    number NUMBERED, owner TEXT NOT NULL, position BIGINT NOT NULL, at BIGINT NOT NULL,
    bytes BIGINT NOT NULL, blob TEXT NOT NULL, sha256 TEXT NOT NULL, UNIQUE (owner, position));
  CREATE INDEX dataset_part_blob ON dataset_part (blob);

  -- Pictures of frames that are in datasets. part: the number of a dataset_part.
  CREATE TABLE dataset_picture (
    clip TEXT NOT NULL, camera TEXT NOT NULL, pts BIGINT NOT NULL,
    part BIGINT NOT NULL, at BIGINT NOT NULL, bytes BIGINT NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (clip, camera, pts));

  CREATE TABLE dataset_version (
    number NUMBERED, name TEXT NOT NULL UNIQUE, schema_name TEXT NOT NULL, filter TEXT NOT NULL,
    root TEXT NOT NULL, frames BIGINT NOT NULL, picture_bytes BIGINT NOT NULL, card TEXT NOT NULL,
    made_by TEXT NOT NULL, made_ns BIGINT NOT NULL);
  APPEND_ONLY dataset_version;

  CREATE TABLE dataset_export (
    number NUMBERED, version BIGINT NOT NULL, format TEXT NOT NULL, splits TEXT NOT NULL,
    shard_bytes BIGINT NOT NULL, made_ns BIGINT NOT NULL,
    UNIQUE (version, format, splits, shard_bytes));
  CREATE TABLE dataset_file (
    export BIGINT NOT NULL, position BIGINT NOT NULL, name TEXT NOT NULL,
    content_type TEXT NOT NULL, bytes BIGINT NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (export, position));
)",
    R"(
  -- Filters ask which split a frame is in.
  HAS_HMAC_NUMBER;
)",
};

void ReadFiles(Sql& sql, ExportRow* row) {
  ExportFile file;
  sql.Query(
      "SELECT name, content_type, bytes, sha256 FROM dataset_file WHERE export = :export ORDER BY "
      "position",
      In(row->number), Out(file.name, file.content_type, file.bytes, file.sha256),
      [&] { row->files.push_back(file); });
}

}  // namespace

RoomTables DatasetTables() { return {.room = "dataset", .migrations = kMigrations}; }

absl::StatusOr<VersionRow> ReadVersion(Sql& sql, std::string_view name) {
  VersionRow row;
  if (!sql.Query("SELECT number, name, schema_name, filter, root, frames, picture_bytes, card, "
                 "made_by, made_ns FROM dataset_version WHERE name = :name",
                 In(name),
                 Out(row.number, row.name, row.schema, row.filter, row.root, row.frames,
                     row.picture_bytes, row.card, row.made_by, row.made_ns),
                 [] {})) {
    return absl::NotFoundError(fmt::format("there is no dataset {}", name));
  }
  return row;
}

bool HasVersion(Sql& sql, std::string_view name) {
  uint64_t number = 0;
  return sql.Query("SELECT number FROM dataset_version WHERE name = :name", In(name), Out(number),
                   [] {});
}

uint64_t InsertVersion(Sql& sql, const VersionRow& row) {
  uint64_t number = 0;
  sql.Query(
      "INSERT INTO dataset_version (name, schema_name, filter, root, frames, picture_bytes, card, "
      "made_by, made_ns) VALUES (:name, :schema, :filter, :root, :frames, :bytes, :card, :by, "
      ":made) RETURNING number",
      In(row.name, row.schema, row.filter, row.root, row.frames, row.picture_bytes, row.card,
         row.made_by, row.made_ns),
      Out(number), [] {});
  return number;
}

std::vector<VersionRow> ReadVersions(Sql& sql, int64_t before, size_t limit) {
  std::vector<VersionRow> rows;
  VersionRow row;
  sql.Query(
      "SELECT number, name, schema_name, filter, root, frames, picture_bytes, made_by, made_ns "
      "FROM dataset_version WHERE number < :before ORDER BY number DESC LIMIT :limit",
      In(before, limit),
      Out(row.number, row.name, row.schema, row.filter, row.root, row.frames, row.picture_bytes,
          row.made_by, row.made_ns),
      [&] { rows.push_back(row); });
  return rows;
}

std::optional<ExportRow> FindExport(Sql& sql, uint64_t version, std::string_view format,
                                    std::string_view splits, uint64_t shard_bytes) {
  uint64_t number = 0;
  if (!sql.Query("SELECT number FROM dataset_export WHERE version = :version AND format = :format "
                 "AND splits = :splits AND shard_bytes = :shard",
                 In(version, format, splits, shard_bytes), Out(number), [] {})) {
    return std::nullopt;
  }
  return ReadExport(sql, number);
}

std::optional<ExportRow> ReadExport(Sql& sql, uint64_t number) {
  ExportRow row;
  if (!sql.Query("SELECT number, version, format, splits, shard_bytes, made_ns FROM dataset_export "
                 "WHERE number = :number",
                 In(number),
                 Out(row.number, row.version, row.format, row.splits, row.shard_bytes, row.made_ns),
                 [] {})) {
    return std::nullopt;
  }
  ReadFiles(sql, &row);
  return row;
}

std::vector<ExportRow> ReadExports(Sql& sql, uint64_t version) {
  std::vector<uint64_t> numbers;
  uint64_t number = 0;
  sql.Query("SELECT number FROM dataset_export WHERE version = :version ORDER BY number DESC",
            In(version), Out(number), [&] { numbers.push_back(number); });
  std::vector<ExportRow> rows;
  for (const uint64_t one : numbers) {
    if (auto row = ReadExport(sql, one)) rows.push_back(*std::move(row));
  }
  return rows;
}

uint64_t InsertExport(Sql& sql, const ExportRow& row) {
  uint64_t number = 0;
  sql.Query(
      "INSERT INTO dataset_export (version, format, splits, shard_bytes, made_ns) VALUES "
      "(:version, :format, :splits, :shard, :made) RETURNING number",
      In(row.version, row.format, row.splits, row.shard_bytes, row.made_ns), Out(number), [] {});
  for (size_t i = 0; i < row.files.size(); ++i) {
    const ExportFile& file = row.files[i];
    sql.Run(
        "INSERT INTO dataset_file (export, position, name, content_type, bytes, sha256) VALUES "
        "(:export, :position, :name, :type, :bytes, :sha256)",
        In(number, i, file.name, file.content_type, file.bytes, file.sha256));
  }
  return number;
}

void ForgetExports(Sql& sql, size_t keep) {
  std::vector<uint64_t> old;
  uint64_t number = 0;
  size_t seen = 0;
  sql.Query("SELECT number FROM dataset_export ORDER BY number DESC", In(), Out(number), [&] {
    if (++seen > keep) old.push_back(number);
  });
  for (const uint64_t one : old) {
    const auto row = ReadExport(sql, one);
    if (!row) continue;
    for (const ExportFile& file : row->files) RemoveParts(sql, FileOwner(one, file.name));
    sql.Run("DELETE FROM dataset_file WHERE export = :export", In(one));
    sql.Run("DELETE FROM dataset_export WHERE number = :number", In(one));
  }
}

}  // namespace gleaner::cloud
