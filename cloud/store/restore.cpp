#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "cloud/database/database.h"
#include "cloud/database/sqlite.h"
#include "cloud/database/tally.h"
#include "cloud/store/backup.h"
#include "cloud/store/blob_copy.h"
#include "cloud/store/catalog_copy.h"
#include "cloud/store/data_folder.h"
#include "cloud/store/folder_state.h"
#include "cloud/store/loose_blobs.h"
#include "common/crash_point.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

absl::Status Refused(std::string_view what) {
  return absl::FailedPreconditionError(fmt::format("{} Nothing was changed", what));
}

// The backup, if there is one to be had.
absl::StatusOr<FolderState> FindBackup(const std::string& directory, const StoreRooms& rooms) {
  ASSIGN_OR_RETURN(FolderState source, InspectFolder(directory, rooms));
  if (source.catalog.schema == 0) {
    return Refused(fmt::format("{} holds no backup that was finished: there is no {}.", directory,
                               source.catalog_path));
  }
  if (source.catalog.identity.id.empty()) {
    return Refused(
        fmt::format("{} doesn't say which store it is the catalog of: it was not made "
                    "by `gleaner-cloud backup`.",
                    source.catalog_path));
  }
  if (HasCatalogLog(source.catalog_path)) {
    return Refused(
        fmt::format("a server has worked in {} and did not end well: start one there, and "
                    "make a backup of it.",
                    directory));
  }
  return source;
}

// What lies where the backup is to go. A damaged catalog is one to be replaced.
absl::StatusOr<FolderState> FindTarget(const std::string& data_dir, const StoreRooms& rooms) {
  auto target = InspectFolder(data_dir, rooms);
  if (!absl::IsDataLoss(target.status())) return target;
  FolderState damaged{.catalog_path = CatalogPath(data_dir), .blobs_path = BlobsPath(data_dir)};
  damaged.catalog.exists = true;
  ASSIGN_OR_RETURN(damaged.blobs.mark, ReadStoreMark(damaged.blobs_path));
  damaged.blobs.has_data = true;
  return damaged;
}

absl::Status CheckTarget(const FolderState& target, const StoreIdentity& store) {
  const auto& mark = target.blobs.mark;
  if (target.blobs.has_data && !mark) {
    return Refused(
        fmt::format("{} holds blobs that don't say which store they belong to: move them "
                    "away first.",
                    target.blobs_path));
  }
  if (mark && mark->id != store.id) {
    return Refused(
        fmt::format("{} holds the blobs of store {}, the backup is of {}: they are two "
                    "servers'. Restore into another folder.",
                    target.blobs_path, mark->id, store.id));
  }
  const auto admission = Judge(target);
  if (admission.ok() && *admission == Admission::kOpen) {
    return Refused(
        fmt::format("{} is in good order and as young as its blobs, and may know clips "
                    "that the backup doesn't. To go back to the backup all the same, move "
                    "it away first.",
                    target.catalog_path));
  }
  return absl::OkStatus();
}

absl::Status CheckInPlace(const FolderState& here) {
  if (here.catalog.schema == 0) {
    return Refused(
        fmt::format("{} is missing or has nothing in it: bring a backup back, with its "
                    "folder in place of --in-place.",
                    here.catalog_path));
  }
  if (!here.catalog.finds_any) {
    return Refused(
        fmt::format("{} names nothing of what is in {}: it is not the catalog of these "
                    "blobs.",
                    here.catalog_path, here.blobs_path));
  }
  const StoreIdentity& identity = here.catalog.identity;
  if (here.blobs.mark && !identity.id.empty() && identity.id != here.blobs.mark->id) {
    return Refused(
        fmt::format("{} is the catalog of store {}, and {} are the blobs of store {}: "
                    "the folders of two servers were mixed up.",
                    here.catalog_path, identity.id, here.blobs_path, here.blobs.mark->id));
  }
  const auto admission = Judge(here);
  if (admission.ok() && *admission == Admission::kOpen) {
    return Refused(
        fmt::format("{} is in good order and as young as its blobs: just start the server.",
                    here.catalog_path));
  }
  return absl::OkStatus();
}

// Step 3: the file `catalog` becomes the catalog of the store `id` over the blobs that are there.
absl::StatusOr<StoreIdentity> MakeReady(const std::string& catalog, const FolderState& target,
                                        const StoreRooms& rooms, const std::string& id,
                                        Clock& clock, RestoreResult* result) {
  ASSIGN_OR_RETURN(const auto database, Database::Open(catalog, rooms.tables));
  BlobNames names(*database, rooms.naming);
  ASSIGN_OR_RETURN(auto blobs, FileBlobStore::Open(target.blobs_path));
  RETURN_IF_ERROR(ImportLooseBlobs(target.blobs_path, names).status());
  ASSIGN_OR_RETURN(result->kept_bytes, KeepUnnamed(names, *blobs, clock));
  ASSIGN_OR_RETURN(result->clips, database->Read([](Sql& sql) -> absl::StatusOr<uint64_t> {
    return ReadTally(sql, "all");
  }));
  ASSIGN_OR_RETURN(StoreIdentity identity, names.GetIdentity());
  identity.id = id;
  ASSIGN_OR_RETURN(identity.history, NewStoreId());
  if (target.blobs.mark) identity.named = std::max(identity.named, target.blobs.mark->named);
  RETURN_IF_ERROR(names.SetIdentity(identity));
  return identity;
}

// So that a catalog that is accepted as it is has no log, in which a part of it would be.
absl::Status BringInLog(const std::string& catalog) {
  try {
    ConnectSqlite(catalog, SqliteMode::kWrite)->Script("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (const SqlError& error) {
    return Annotate(ToStatus(error), catalog);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RestoreResult> Restore(const std::string& directory, const std::string& data_dir,
                                      const StoreRooms& rooms, Clock& clock,
                                      const OnProgress& on_progress) {
  std::error_code error;
  const bool in_place = std::filesystem::equivalent(directory, data_dir, error);
  FolderState source, target;
  if (!in_place) {
    ASSIGN_OR_RETURN(source, FindBackup(directory, rooms));
  }
  RETURN_IF_ERROR(MakeDirectories(BlobsPath(data_dir)));
  ASSIGN_OR_RETURN(const Fd lock, LockDataFolder(data_dir));
  if (in_place) {
    ASSIGN_OR_RETURN(target, InspectFolder(data_dir, rooms));
    source = target;
    RETURN_IF_ERROR(CheckInPlace(target));
    RETURN_IF_ERROR(BringInLog(target.catalog_path));
  } else {
    ASSIGN_OR_RETURN(target, FindTarget(data_dir, rooms));
    RETURN_IF_ERROR(CheckTarget(target, source.catalog.identity));
  }
  std::string id = target.blobs.mark ? target.blobs.mark->id : source.catalog.identity.id;
  if (id.empty()) {
    ASSIGN_OR_RETURN(id, NewStoreId());
  }
  RestoreResult result;
  if (!in_place) {
    if (!target.blobs.mark) {
      ASSIGN_OR_RETURN(const std::string history, NewStoreId());
      RETURN_IF_ERROR(
          WriteStoreMark(target.blobs_path,
                         {.id = id, .history = history, .named = source.catalog.identity.named}));
    }
    GLEANER_CRASH_POINT("restore.marked");
    ASSIGN_OR_RETURN(TransferResult brought,
                     TransferBlobs({.catalog = source.catalog_path,
                                    .naming = rooms.naming,
                                    .from = source.blobs_path,
                                    .to = target.blobs_path,
                                    .is_there = [&](const NamedBlob& blob) -> absl::StatusOr<bool> {
                                      if (!blob.sha256) return HasBlob(target.blobs_path, blob.id);
                                      const auto digest = DigestOfBlob(target.blobs_path, blob.id);
                                      return digest.ok() && *digest == *blob.sha256;
                                    },
                                    .on_progress = on_progress}));
    result.brought_bytes = brought.done.bytes;
    result.damaged = std::move(brought.damaged);
  }
  GLEANER_CRASH_POINT("restore.blobs_copied");
  const std::string next = target.catalog_path + ".next";
  for (const char* suffix : {"-wal", "-shm"}) ::unlink((next + suffix).c_str());
  RETURN_IF_ERROR(CopyCatalog(source.catalog_path, next));
  ASSIGN_OR_RETURN(const StoreIdentity identity,
                   MakeReady(next, target, rooms, id, clock, &result));
  if (HasCatalogLog(next)) return absl::InternalError(fmt::format("{}-wal was left behind", next));
  GLEANER_CRASH_POINT("restore.catalog_ready");
  RETURN_IF_ERROR(WriteStoreMark(target.blobs_path, identity));
  GLEANER_CRASH_POINT("restore.marked_again");
  ASSIGN_OR_RETURN(result.set_aside, SetCatalogAside(target.catalog_path, "restore", clock));
  GLEANER_CRASH_POINT("restore.set_aside");
  RETURN_IF_ERROR(InstallCatalog(next, target.catalog_path));
  return result;
}

}  // namespace gleaner::cloud
