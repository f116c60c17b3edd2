// What the catalogue knows of the blob store as a whole: which one it is, what it names of it, what
// is to be freed and what is kept aside.
#include <fmt/format.h>

#include "cloud/store/sqlite_catalog.h"
#include "common/status.h"

namespace gleaner::cloud {

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

absl::StatusOr<std::vector<BlobId>> SqliteCatalog::FindBlobs(std::string_view prefix) {
  return Reading([&](Sql& sql) -> absl::StatusOr<std::vector<BlobId>> {
    const std::string end = std::string(prefix) + "g";  // after every name in hex
    std::vector<BlobId> blobs;
    BlobId blob;
    sql.Query(
        "SELECT blob FROM object WHERE blob >= :a AND blob < :b UNION SELECT blob FROM thumbnail "
        "WHERE blob >= :c AND blob < :d UNION SELECT blob FROM kept WHERE blob >= :e AND blob < :f "
        "ORDER BY blob",
        In(prefix, end, prefix, end, prefix, end), Out(blob), [&] { blobs.push_back(blob); });
    return blobs;
  });
}

absl::Status SqliteCatalog::CheckNames() {
  return Reading([&](Sql& sql) -> absl::Status {
    int64_t given = 0, objects = 0, thumbnails = 0;
    sql.Query("SELECT names FROM store", In(), Out(given), [] {});
    sql.Query("SELECT COUNT(*) FROM object", In(), Out(objects), [] {});
    sql.Query("SELECT COUNT(*) FROM thumbnail", In(), Out(thumbnails), [] {});
    if (objects + thumbnails == given) return absl::OkStatus();
    return absl::DataLossError(
        fmt::format("{} names {} blobs, and by its own count it should name {}: it was changed by "
                    "hand, and what it doesn't name is not removed",
                    path_, objects + thumbnails, given));
  });
}

absl::StatusOr<std::vector<BlobId>> SqliteCatalog::FindRubbish(const BlobId& after, size_t limit) {
  return Reading([&](Sql& sql) -> absl::StatusOr<std::vector<BlobId>> {
    std::vector<BlobId> blobs;
    BlobId blob;
    sql.Query("SELECT blob FROM rubbish WHERE blob > :after ORDER BY blob LIMIT :limit",
              In(after, limit), Out(blob), [&] { blobs.push_back(blob); });
    return blobs;
  });
}

absl::Status SqliteCatalog::ForgetRubbish(const std::vector<BlobId>& blobs) {
  return Write([&](Sql& sql) {
    for (const BlobId& blob : blobs) sql.Run("DELETE FROM rubbish WHERE blob = :blob", In(blob));
    return absl::OkStatus();
  });
}

absl::Status SqliteCatalog::RenameBlobs(const std::vector<std::pair<BlobId, BlobId>>& renamed) {
  return Write([&](Sql& sql) {
    for (const auto& [from, to] : renamed) {
      sql.Run("UPDATE object SET blob = :to WHERE blob = :from", In(to, from));
      sql.Run("UPDATE thumbnail SET blob = :to WHERE blob = :from", In(to, from));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<StoreIdentity> SqliteCatalog::GetIdentity() {
  return Reading([&](Sql& sql) -> absl::StatusOr<StoreIdentity> {
    StoreIdentity identity;
    sql.Query("SELECT id, history, named FROM store", In(),
              Out(identity.id, identity.history, identity.named), [] {});
    return identity;
  });
}

absl::Status SqliteCatalog::SetIdentity(const StoreIdentity& identity) {
  return Write([&](Sql& sql) {
    sql.Run(
        "UPDATE store SET id = :id, history = :history, named = CASE WHEN named < :a THEN :b ELSE "
        "named END",
        In(identity.id, identity.history, identity.named, identity.named));
    return absl::OkStatus();
  });
}

absl::Status SqliteCatalog::KeepAside(const std::vector<KeptRow>& kept) {
  return Write([&](Sql& sql) {
    for (const KeptRow& row : kept) {
      sql.Run(
          "INSERT INTO kept (blob, size_bytes, since_ns) VALUES (:blob, :size, :since) ON CONFLICT "
          "(blob) DO NOTHING",
          In(row.blob, row.size_bytes, row.since_unix_ns));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<KeptRow>> SqliteCatalog::ListKept() {
  return Reading([&](Sql& sql) -> absl::StatusOr<std::vector<KeptRow>> {
    std::vector<KeptRow> kept;
    KeptRow row;
    sql.Query("SELECT blob, size_bytes, since_ns FROM kept ORDER BY blob", In(),
              Out(row.blob, row.size_bytes, row.since_unix_ns), [&] { kept.push_back(row); });
    return kept;
  });
}

absl::Status SqliteCatalog::GiveUpKept() {
  return Write([&](Sql& sql) {
    sql.Run(
        "INSERT INTO rubbish (blob, device, size_bytes) SELECT blob, '', 0 FROM kept WHERE 1 = 1 "
        "ON CONFLICT (blob) DO NOTHING",
        In());
    sql.Run("DELETE FROM kept", In());
    return absl::OkStatus();
  });
}

absl::StatusOr<StoreTotals> SqliteCatalog::SumStore() {
  return Reading([&](Sql& sql) -> absl::StatusOr<StoreTotals> {
    StoreTotals totals;
    sql.Query("SELECT COUNT(*), COALESCE(SUM(size_bytes), 0) FROM kept", In(),
              Out(totals.kept_count, totals.kept_bytes), [] {});
    sql.Query("SELECT COALESCE(SUM(size_bytes), 0) FROM rubbish", In(), Out(totals.rubbish_bytes),
              [] {});
    return totals;
  });
}

}  // namespace gleaner::cloud
