#include "cloud/store/blob_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>

#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr std::array<std::string_view, 1> kMigrations = {R"(
  -- Which blobs this is the catalog of: see data_folder.h. One row. id and history: empty until the
  -- blob folder has them, too. named: how often blobs were given a name; it never falls. names: rows
  -- of all naming tables.
  CREATE TABLE store (
    id TEXT NOT NULL, history TEXT NOT NULL, named BIGINT NOT NULL, names BIGINT NOT NULL);
  INSERT INTO store (id, history, named, names) VALUES ('', '', 0, 0);
  -- Blobs that were named and are no more, until their bytes are free; of which device's upload.
  CREATE TABLE rubbish (
    blob TEXT NOT NULL PRIMARY KEY, device TEXT NOT NULL, size_bytes BIGINT NOT NULL);
  CREATE INDEX rubbish_device ON rubbish (device);
  -- Runs of bytes that nothing names and that may be somebody's, by names of their own.
  CREATE TABLE kept (
    blob TEXT NOT NULL PRIMARY KEY, size_bytes BIGINT NOT NULL, since_ns BIGINT NOT NULL);
)"};

uint64_t CountRows(Sql& sql, std::span<const NamingTable> naming) {
  uint64_t rows = 0;
  for (const NamingTable& one : naming) {
    uint64_t of_table = 0;
    sql.Query(fmt::format("SELECT COUNT(*) FROM {}", one.table), In(), Out(of_table), [] {});
    rows += of_table;
  }
  return rows;
}

}  // namespace

RoomTables StoreTables() { return {.room = "store", .migrations = kMigrations}; }

void CountNames(Sql& sql, int64_t names) {
  sql.Run("UPDATE store SET named = named + :named, names = names + :names",
          In(names > 0 ? 1 : 0, names));
}

void AddRubbish(Sql& sql, const BlobId& blob, std::string_view device, uint64_t size_bytes) {
  sql.Run(
      "INSERT INTO rubbish (blob, device, size_bytes) VALUES (:blob, :device, :size) ON CONFLICT "
      "(blob) DO NOTHING",
      In(blob, device, size_bytes));
}

void NameAgain(Sql& sql, const std::vector<BlobId>& blobs) {
  for (const BlobId& blob : blobs) sql.Run("DELETE FROM rubbish WHERE blob = :blob", In(blob));
}

uint64_t SumRubbish(Sql& sql, std::string_view device) {
  uint64_t bytes = 0;
  sql.Query("SELECT COALESCE(SUM(size_bytes), 0) FROM rubbish WHERE device = :device", In(device),
            Out(bytes), [] {});
  return bytes;
}

void MakeBackupOf(Sql& sql, std::span<const NamingTable> naming, const std::string& history) {
  sql.Run("DELETE FROM rubbish", In());
  sql.Run("DELETE FROM kept", In());
  sql.Run("UPDATE store SET history = :history, names = :names",
          In(history, CountRows(sql, naming)));
}

bool NamesBlob(Sql& sql, std::span<const NamingTable> naming, const BlobId& blob) {
  return std::any_of(naming.begin(), naming.end(), [&](const NamingTable& one) {
    BlobId found;
    return sql.Query(fmt::format("SELECT blob FROM {} WHERE blob = :blob", one.table), In(blob),
                     Out(found), [] {});
  });
}

StoreIdentity ReadIdentity(Sql& sql) {
  StoreIdentity identity;
  sql.Query("SELECT id, history, named FROM store", In(),
            Out(identity.id, identity.history, identity.named), [] {});
  return identity;
}

CommitHook NamedHook(std::function<void(uint64_t)> on_named) {
  // The first transaction of a database tells, too.
  auto last = std::make_shared<uint64_t>(0);
  return {.before = [](Sql& sql) { return ReadIdentity(sql).named; },
          .after =
              [last, on_named = std::move(on_named)](uint64_t named) {
                if (named > *last) on_named(*last = named);
              }};
}

BlobNames::BlobNames(Database& database, std::span<const NamingTable> naming)
    : database_(database), naming_(naming.begin(), naming.end()) {}

absl::StatusOr<std::vector<BlobId>> BlobNames::Find(std::string_view prefix) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<std::vector<BlobId>> {
    const std::string end = std::string(prefix) + "g";  // after every name in hex
    Parameters parameters;
    std::string query;
    const auto add = [&](std::string_view table) {
      query += fmt::format("{}SELECT blob FROM {} WHERE blob >= {}", query.empty() ? "" : " UNION ",
                           table, parameters.NextName());
      parameters.Add(prefix);
      query += fmt::format(" AND blob < {}", parameters.NextName());
      parameters.Add(end);
    };
    for (const NamingTable& one : naming_) add(one.table);
    add("kept");
    std::vector<BlobId> blobs;
    BlobId blob;
    sql.QueryOnce(query + " ORDER BY blob", parameters, Out(blob), [&] { blobs.push_back(blob); });
    return blobs;
  });
}

absl::Status BlobNames::Check() {
  return database_.Read([&](Sql& sql) -> absl::Status {
    uint64_t given = 0;
    sql.Query("SELECT names FROM store", In(), Out(given), [] {});
    const uint64_t there = CountRows(sql, naming_);
    if (there == given) return absl::OkStatus();
    return absl::DataLossError(
        fmt::format("{} names {} blobs, and by its own count it should name {}: it was changed by "
                    "hand, and what it doesn't name is not removed",
                    database_.name(), there, given));
  });
}

absl::StatusOr<std::vector<BlobId>> BlobNames::FindRubbish(const BlobId& after, size_t limit) {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<std::vector<BlobId>> {
    std::vector<BlobId> blobs;
    BlobId blob;
    sql.Query("SELECT blob FROM rubbish WHERE blob > :after ORDER BY blob LIMIT :limit",
              In(after, limit), Out(blob), [&] { blobs.push_back(blob); });
    return blobs;
  });
}

absl::Status BlobNames::ForgetRubbish(const std::vector<BlobId>& blobs) {
  return database_.Write([&](Sql& sql) {
    for (const BlobId& blob : blobs) sql.Run("DELETE FROM rubbish WHERE blob = :blob", In(blob));
    return absl::OkStatus();
  });
}

absl::Status BlobNames::Rename(const std::vector<std::pair<BlobId, BlobId>>& renamed) {
  return database_.Write([&](Sql& sql) {
    for (const auto& [from, to] : renamed) {
      for (const NamingTable& one : naming_) {
        sql.Run(fmt::format("UPDATE {} SET blob = :to WHERE blob = :from", one.table),
                In(to, from));
      }
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<StoreIdentity> BlobNames::GetIdentity() {
  return database_.Read(
      [&](Sql& sql) -> absl::StatusOr<StoreIdentity> { return ReadIdentity(sql); });
}

absl::StatusOr<StoreIdentity> BlobNames::Adopt(const std::string& id) {
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) {
    sql.Run("UPDATE store SET id = :id WHERE id = ''", In(id));
    return absl::OkStatus();
  }));
  return GetIdentity();
}

absl::Status BlobNames::SetIdentity(const StoreIdentity& identity) {
  return database_.Write([&](Sql& sql) {
    sql.Run(
        "UPDATE store SET id = :id, history = :history, named = CASE WHEN named < :a THEN :b ELSE "
        "named END",
        In(identity.id, identity.history, identity.named, identity.named));
    return absl::OkStatus();
  });
}

absl::Status BlobNames::KeepAside(const std::vector<KeptRow>& kept) {
  return database_.Write([&](Sql& sql) {
    for (const KeptRow& row : kept) {
      sql.Run(
          "INSERT INTO kept (blob, size_bytes, since_ns) VALUES (:blob, :size, :since) ON CONFLICT "
          "(blob) DO NOTHING",
          In(row.blob, row.size_bytes, row.since_unix_ns));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<KeptRow>> BlobNames::ListKept() {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<std::vector<KeptRow>> {
    std::vector<KeptRow> kept;
    KeptRow row;
    sql.Query("SELECT blob, size_bytes, since_ns FROM kept ORDER BY blob", In(),
              Out(row.blob, row.size_bytes, row.since_unix_ns), [&] { kept.push_back(row); });
    return kept;
  });
}

absl::Status BlobNames::GiveUpKept() {
  return database_.Write([&](Sql& sql) {
    sql.Run(
        "INSERT INTO rubbish (blob, device, size_bytes) SELECT blob, '', 0 FROM kept WHERE 1 = 1 "
        "ON CONFLICT (blob) DO NOTHING",
        In());
    sql.Run("DELETE FROM kept", In());
    return absl::OkStatus();
  });
}

absl::StatusOr<StoreTotals> BlobNames::Sum() {
  return database_.Read([&](Sql& sql) -> absl::StatusOr<StoreTotals> {
    StoreTotals totals;
    sql.Query("SELECT COUNT(*), COALESCE(SUM(size_bytes), 0) FROM kept", In(),
              Out(totals.kept_count, totals.kept_bytes), [] {});
    sql.Query("SELECT COALESCE(SUM(size_bytes), 0) FROM rubbish", In(), Out(totals.rubbish_bytes),
              [] {});
    return totals;
  });
}

}  // namespace gleaner::cloud
