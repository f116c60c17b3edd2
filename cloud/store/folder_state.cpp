#include "cloud/store/folder_state.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "cloud/database/database.h"
#include "cloud/database/postgres.h"
#include "cloud/database/sqlite.h"
#include "cloud/store/blob_place.h"
#include "cloud/store/loose_blobs.h"
#include "cloud/store/store_mark.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

uint64_t SizeOf(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

// The segments that hold bytes.
absl::StatusOr<std::vector<std::string>> SegmentsWithData(const std::string& blobs) {
  std::vector<std::string> found;
  std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(blobs.c_str()), &::closedir);
  if (entries == nullptr && errno == ENOENT) return found;
  if (entries == nullptr) return ErrnoStatus(errno, fmt::format("read {}", blobs));
  // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
  while (const dirent* entry = ::readdir(entries.get())) {
    if (!IsSegmentName(entry->d_name)) continue;
    const auto file = OpenFile(fmt::format("{}/{}", blobs, entry->d_name), O_RDONLY);
    if (absl::IsNotFound(file.status())) continue;
    RETURN_IF_ERROR(file.status());
    if (::lseek(file->get(), 0, SEEK_DATA) >= 0) found.emplace_back(entry->d_name);
  }
  return found;
}

// The first name from `from` on and before `to`; false without one.
bool HasName(Sql& sql, const NamingTable& naming, std::string_view from, std::string_view to) {
  std::string blob;
  return sql.Query(
      fmt::format("SELECT blob FROM {} WHERE blob >= :a AND blob < :b LIMIT 1", naming.table),
      In(from, to), Out(blob), [] {});
}

constexpr std::string_view kAfterHex = "g";  // after every name in hex

bool NamesAny(Sql& sql, const StoreRooms& rooms) {
  return std::any_of(rooms.naming.begin(), rooms.naming.end(), [&](const NamingTable& naming) {
    return HasName(sql, naming, "", kAfterHex);
  });
}

bool FindsAny(Sql& sql, const FolderState& state, const StoreRooms& rooms,
              const std::vector<std::string>& segments) {
  for (const NamingTable& naming : rooms.naming) {
    for (const std::string& segment : segments) {
      if (HasName(sql, naming, segment, segment + std::string(kAfterHex))) return true;
    }
    if (!state.blobs.has_loose) continue;
    bool found = false;
    std::string blob;
    sql.Query(fmt::format("SELECT blob FROM {}", naming.table), In(), Out(blob),
              [&] { found = found || HasLooseBlob(state.blobs_path, blob); });
    if (found) return true;
  }
  return false;
}

absl::StatusOr<CatalogState> InspectCatalog(const FolderState& state, const StoreRooms& rooms,
                                            const std::vector<std::string>& segments) {
  const std::string& path = state.catalog_path;
  const bool is_file = !IsPostgres(state.database);
  CatalogState catalog;
  if (is_file && ::access(path.c_str(), F_OK) != 0) {
    if (errno == ENOENT) return catalog;
    return ErrnoStatus(errno, path);
  }
  catalog.exists = true;
  if (is_file) catalog.size_bytes = SizeOf(path) + SizeOf(path + "-wal");
  try {
    Sql sql =
        is_file ? OpenSqlite(path, SqliteMode::kInspect) : Sql(ConnectPostgres(state.database));
    sql.connection().BeginReading();  // one snapshot
    catalog.needs_migration = NeedsMigration(sql, rooms.tables);
    RETURN_IF_ERROR(Annotate(CheckVersions(sql, rooms.tables), path));
    catalog.schema = SchemaNumber(sql, rooms.tables);
    if (catalog.schema == 0) return catalog;
    catalog.has_identity = sql.connection().HasTable("store");
    if (catalog.has_identity) {
      catalog.identity = ReadIdentity(sql);
      sql.Query("SELECT names FROM store", In(), Out(catalog.names), [] {});
    }
    catalog.names_any = NamesAny(sql, rooms);
    catalog.finds_any = catalog.names_any && FindsAny(sql, state, rooms, segments);
    sql.connection().Rollback();
  } catch (const SqlError& thrown) {
    const absl::Status status = ToStatus(thrown);
    return absl::IsDataLoss(status) ? DamagedDatabase(path, thrown.what()) : Annotate(status, path);
  }
  return catalog;
}

absl::Status Refused(std::string_view what) {
  return absl::FailedPreconditionError(fmt::format(
      "{} Nothing was changed; `gleaner-cloud restore --help` says how to go on", what));
}

}  // namespace

std::string CatalogPath(const std::string& data_dir) { return data_dir + "/catalog.db"; }
std::string BlobsPath(const std::string& data_dir) { return data_dir + "/blobs"; }

absl::StatusOr<FolderState> InspectFolder(const std::string& data_dir, const StoreRooms& rooms,
                                          const std::string& database) {
  FolderState state{.database = database.empty() ? CatalogPath(data_dir) : database,
                    .blobs_path = BlobsPath(data_dir)};
  state.catalog_path = database.empty() ? state.database : WithoutPassword(database);
  // The mark before the catalog, whose number a running server raises first.
  ASSIGN_OR_RETURN(state.blobs.mark, ReadStoreMark(state.blobs_path));
  ASSIGN_OR_RETURN(const std::vector<std::string> segments, SegmentsWithData(state.blobs_path));
  ASSIGN_OR_RETURN(const LooseBlobs loose, FindLooseBlobs(state.blobs_path));
  state.blobs.has_loose = loose.layout;
  // What was imported has its old name still.
  state.blobs.has_data = !segments.empty() || (loose.any && !state.blobs.mark);
  ASSIGN_OR_RETURN(state.catalog, InspectCatalog(state, rooms, segments));
  return state;
}

absl::StatusOr<Admission> Judge(const FolderState& state) {
  const CatalogState& catalog = state.catalog;
  const BlobsState& blobs = state.blobs;
  const bool blobs_used = blobs.has_data || (blobs.mark && blobs.mark->named > 0);
  if (catalog.schema == 0) {
    if (!blobs_used) return blobs.mark ? Admission::kJoin : Admission::kAdopt;
    return Refused(fmt::format(
        "{} {}, and {} holds clips: the catalog was lost or emptied, or the "
        "blobs are another server's.",
        state.catalog_path, catalog.exists ? "has nothing in it" : "is missing", state.blobs_path));
  }
  if (!catalog.names_any && catalog.names > 0) {
    return Refused(
        fmt::format("{} was emptied: it named {} blobs and now names none of those in {}.",
                    state.catalog_path, catalog.names, state.blobs_path));
  }
  if (catalog.names_any && !catalog.finds_any) {
    return Refused(
        fmt::format("{} names blobs, and none of them is in {}: a volume is not mounted, "
                    "or the folders of two servers were mixed up.",
                    state.catalog_path, state.blobs_path));
  }
  const StoreIdentity& identity = catalog.identity;
  if (!blobs.mark) {
    // Without a history: of an earlier version, or the upgrade from one was cut short.
    const bool fits = identity.history.empty() ? catalog.names_any || !blobs_used
                                               : !catalog.names_any && !blobs_used;
    if (fits) return Admission::kAdopt;
    return Refused(fmt::format(
        "{} and {} don't belong together: {}.", state.catalog_path, state.blobs_path,
        catalog.names_any
            ? "the file `store` is missing from the blobs, which another program copied or made"
            : "the catalog names nothing and the blobs hold clips; it was lost or emptied"));
  }
  if (identity.id.empty()) {
    if (!catalog.names_any && !blobs_used) return Admission::kJoin;
    return Refused(
        fmt::format("{} doesn't say which store it is the catalog of, and {} does: it is "
                    "new, or a copy from before an upgrade.",
                    state.catalog_path, state.blobs_path));
  }
  if (identity.id != blobs.mark->id) {
    return Refused(
        fmt::format("{} is the catalog of store {}, and {} are the blobs of store {}: "
                    "the folders of two servers were mixed up.",
                    state.catalog_path, identity.id, state.blobs_path, blobs.mark->id));
  }
  if (identity.history.empty()) return Admission::kAdopt;
  if (identity.history != blobs.mark->history || identity.named < blobs.mark->named) {
    return Refused(
        fmt::format("{} is an older copy than {}: clips came in after it was made, and it "
                    "doesn't know of them (it has named blobs {} times, of {}).",
                    state.catalog_path, state.blobs_path, identity.named, blobs.mark->named));
  }
  return Admission::kOpen;
}

}  // namespace gleaner::cloud
