#include "cloud/store/data_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/rand.h>
#include <sys/file.h>
#include <sys/statvfs.h>

#include <array>
#include <vector>

#include "cloud/database/postgres.h"
#include "cloud/store/blob_place.h"
#include "cloud/store/catalog_copy.h"
#include "cloud/store/folder_state.h"
#include "cloud/store/loose_blobs.h"
#include "common/crash_point.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// For the copy, and once more for the log of the migration.
absl::Status CheckRoomForUpgrade(const std::string& path, const FolderState& state) {
  if (state.catalog.schema == 0 || !state.catalog.needs_migration) return absl::OkStatus();
  const uint64_t needed = 2 * state.catalog.size_bytes;
  struct statvfs info;
  if (::statvfs(path.c_str(), &info) != 0)
    return ErrnoStatus(errno, fmt::format("statvfs {}", path));
  const uint64_t free = static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  if (free >= needed) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("{} is to be copied and brought to this version, for which {} bytes must be free "
                  "in {}, and {} are. Nothing was changed",
                  state.catalog_path, needed, path, free));
}

absl::StatusOr<Admission> Admit(const std::string& path, const StoreRooms& rooms,
                                const std::string& database, FolderState* state) {
  ASSIGN_OR_RETURN(*state, InspectFolder(path, rooms, database));
  ASSIGN_OR_RETURN(const Admission admission, Judge(*state));
  RETURN_IF_ERROR(CheckRoomForUpgrade(path, *state));
  return admission;
}

// Steps 3 to 7.
absl::Status Adopt(const FolderState& state, BlobNames& names, FileBlobStore& blobs, Clock& clock) {
  if (state.blobs.has_loose) {
    ASSIGN_OR_RETURN(const uint64_t imported, ImportLooseBlobs(state.blobs_path, names));
    LOG_INFO(
        "{} blobs of an older layout were imported; the folders {}/00 to ff hold their old "
        "names, for a return to the version before",
        imported, state.blobs_path);
  }
  ASSIGN_OR_RETURN(StoreIdentity identity, names.GetIdentity());
  if (state.blobs.mark) {
    identity.id = state.blobs.mark->id;
    identity.history = state.blobs.mark->history;
  } else {
    ASSIGN_OR_RETURN(const uint64_t kept, KeepUnnamed(names, blobs, clock));
    if (kept > 0) {
      LOG_WARN("{} bytes in {} that the catalog doesn't name are kept aside: gleaner-cloud kept",
               kept, state.blobs_path);
    }
    GLEANER_CRASH_POINT("store.kept_aside");
    if (identity.id.empty()) {
      ASSIGN_OR_RETURN(identity.id, NewStoreId());
      RETURN_IF_ERROR(names.SetIdentity(identity));
    }
    GLEANER_CRASH_POINT("store.catalog_said");
    ASSIGN_OR_RETURN(identity.history, NewStoreId());
    RETURN_IF_ERROR(WriteStoreMark(state.blobs_path, identity));
    GLEANER_CRASH_POINT("store.marked");
  }
  return names.SetIdentity(identity);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DataFolder>> DataFolder::Open(const std::string& path,
                                                             const StoreRooms& rooms, Clock& clock,
                                                             const FileBlobOptions& blobs,
                                                             const std::string& database) {
  RETURN_IF_ERROR(MakeDirectories(path));
  auto folder = std::unique_ptr<DataFolder>(new DataFolder);
  ASSIGN_OR_RETURN(folder->lock_, LockDataFolder(path));
  // Where a folder was there before us, they may have been made for all to read.
  for (const char* name : {"catalog.db", "catalog.db-wal", "catalog.db-shm", "blobs"}) {
    const absl::Status status = MakePrivate(path + "/" + name);
    if (!status.ok()) LOG_WARN("others may read what the server keeps: {}", Message(status));
  }
  FolderState state;
  ASSIGN_OR_RETURN(const Admission admission, Admit(path, rooms, database, &state));
  RETURN_IF_ERROR(CopyBeforeMigration(state));
  const auto on_named = [folder = folder.get()](uint64_t named) {
    if (folder->witness_ != nullptr) folder->witness_->Note(named);
  };
  ASSIGN_OR_RETURN(folder->database_,
                   Database::Open(state.database, rooms.tables, NamedHook(on_named)));
  folder->names_ = std::make_unique<BlobNames>(*folder->database_, rooms.naming);
  ASSIGN_OR_RETURN(folder->blobs_, FileBlobStore::Open(state.blobs_path, blobs));
  if (admission != Admission::kOpen) {
    RETURN_IF_ERROR(Adopt(state, *folder->names_, *folder->blobs_, clock));
  }
  ASSIGN_OR_RETURN(folder->witness_, StoreWitness::Open(state.blobs_path, clock));
  // What was committed last may not have reached it at a power cut.
  ASSIGN_OR_RETURN(const StoreIdentity identity, folder->names_->GetIdentity());
  folder->witness_->Note(identity.named);
  ASSIGN_OR_RETURN(const StoreTotals totals, folder->names_->Sum());
  if (totals.kept_count > 0) {
    LOG_WARN(
        "{} bytes in {} are kept aside, since the catalog may have forgotten whose they are: "
        "`gleaner-cloud kept` shows and frees them",
        totals.kept_bytes, state.blobs_path);
  }
  return folder;
}

absl::Status CheckDataFolder(const std::string& path, const StoreRooms& rooms,
                             const std::string& database) {
  FolderState state;
  return Admit(path, rooms, database, &state).status();
}

absl::StatusOr<Fd> LockDataFolder(const std::string& path) {
  ASSIGN_OR_RETURN(Fd lock, OpenFile(path + "/lock", O_RDWR | O_CREAT));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{} is in use by another gleaner-cloud", path));
  }
  return lock;
}

absl::Status CopyBeforeMigration(const FolderState& state) {
  if (state.catalog.schema == 0 || !state.catalog.needs_migration) return absl::OkStatus();
  if (IsPostgres(state.database)) {
    LOG_INFO("{} is brought to this version's tables", state.catalog_path);
    return absl::OkStatus();
  }
  const std::string copy = fmt::format("{}.schema-{}", state.catalog_path, state.catalog.schema);
  RETURN_IF_ERROR(CopyCatalog(state.catalog_path, copy));
  GLEANER_CRASH_POINT("store.catalog_copied");
  LOG_INFO("the catalog is brought to this version's tables; what it was is in {}", copy);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> KeepUnnamed(BlobNames& names, FileBlobStore& blobs, Clock& clock) {
  ASSIGN_OR_RETURN(const std::vector<BlobId> runs,
                   blobs.FindUnnamed([&](std::string_view prefix) { return names.Find(prefix); }));
  std::vector<KeptRow> kept;
  uint64_t bytes = 0;
  for (const BlobId& id : runs) {
    ASSIGN_OR_RETURN(const BlobPlace place, PlaceOf(id));
    kept.push_back({.blob = id, .size_bytes = place.size, .since_unix_ns = clock.WallNs()});
    bytes += place.size;
  }
  RETURN_IF_ERROR(names.KeepAside(kept));
  return bytes;
}

absl::StatusOr<std::string> NewStoreId() {
  std::array<uint8_t, 16> random;
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    return absl::InternalError("no random numbers for a store's id");
  }
  return Hex({reinterpret_cast<const char*>(random.data()), random.size()});
}

}  // namespace gleaner::cloud
