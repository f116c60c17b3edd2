#include "cloud/store/backup.h"

#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>

#include "cloud/database/sqlite.h"
#include "cloud/store/blob_copy.h"
#include "cloud/store/catalog_copy.h"
#include "cloud/store/data_folder.h"
#include "cloud/store/folder_state.h"
#include "common/crash_point.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

absl::Status Refused(const std::string& directory, std::string_view why) {
  return absl::FailedPreconditionError(
      fmt::format("{} can't take a backup of this store: {}", directory, why));
}

// But for what a backup makes first.
bool IsEmpty(const std::string& directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename();
    const bool made_first =
        name == "lock" || (name == "blobs" && std::filesystem::is_empty(entry.path(), error));
    if (!made_first) return false;
  }
  return true;
}

// However the two are written.
bool LiesWithin(const std::string& directory, const std::string& data_dir) {
  std::error_code error;
  const auto inner = std::filesystem::weakly_canonical(directory, error);
  const auto outer = std::filesystem::weakly_canonical(data_dir, error);
  const auto way = inner.lexically_relative(outer);
  return !way.empty() && way != "." && *way.begin() != "..";
}

// Whether a backup of the store `id` may go there. A folder in which a server has worked is a
// store of its own by now.
absl::Status CheckTarget(const std::string& directory, const std::string& data_dir,
                         const FolderState& source, const StoreRooms& rooms) {
  if (LiesWithin(directory, data_dir)) {
    return Refused(directory, "it lies in the store's own folder and would be lost with it");
  }
  if (IsEmpty(directory)) return absl::OkStatus();
  const auto target = InspectFolder(directory, rooms);
  if (!target.ok()) return Refused(directory, Message(target.status()));
  if (!target->blobs.mark) {
    return Refused(directory, "it holds something else; give an empty folder, or a new one");
  }
  if (target->blobs.mark->id != source.blobs.mark->id) {
    return Refused(directory, "it holds a backup of another one");
  }
  if (target->blobs.mark->history == source.blobs.mark->history) {
    return Refused(directory, "it is the store itself, or a copy of it made by other means");
  }
  struct stat info;
  if (::stat((target->catalog_path + "-wal").c_str(), &info) == 0 && info.st_size > 0) {
    return Refused(directory, "a server has worked in it, so it is a backup no more");
  }
  return absl::OkStatus();
}

// The names of the last backup.
class Former {
 public:
  Former(const FolderState& target, const StoreRooms& rooms) : rooms_(rooms) {
    if (target.catalog.schema > 0) {
      sql_ = std::make_unique<Sql>(ConnectSqlite(target.catalog_path, SqliteMode::kInspect));
    }
  }
  bool Has(const BlobId& id) { return sql_ != nullptr && NamesBlob(*sql_, rooms_.naming, id); }

 private:
  const StoreRooms& rooms_;
  std::unique_ptr<Sql> sql_;
};

absl::StatusOr<uint64_t> CountClips(const std::string& catalog) {
  try {
    uint64_t clips = 0;
    OpenSqlite(catalog, SqliteMode::kInspect)
        .Query("SELECT COUNT(*) FROM clip", In(), Out(clips), [] {});
    return clips;
  } catch (const SqlError& error) {
    return Annotate(ToStatus(error), catalog);
  }
}

absl::StatusOr<TransferResult> CopyBlobs(const FolderState& source, const FolderState& target,
                                         const std::string& catalog, const StoreRooms& rooms,
                                         const OnProgress& on_progress) {
  try {
    Former former(target, rooms);
    return TransferBlobs({.catalog = catalog,
                          .naming = rooms.naming,
                          .from = source.blobs_path,
                          .to = target.blobs_path,
                          .is_there = [&](const NamedBlob& blob) -> absl::StatusOr<bool> {
                            return former.Has(blob.id) && HasBlob(target.blobs_path, blob.id);
                          },
                          .on_progress = on_progress});
  } catch (const SqlError& error) {
    return Annotate(ToStatus(error), target.catalog_path);
  }
}

}  // namespace

absl::StatusOr<BackupResult> MakeBackup(const std::string& data_dir, const std::string& directory,
                                        const StoreRooms& rooms, const OnProgress& on_progress) {
  ASSIGN_OR_RETURN(const FolderState source, InspectFolder(data_dir, rooms));
  ASSIGN_OR_RETURN(const Admission admission, Judge(source));
  if (admission != Admission::kOpen) {
    return absl::FailedPreconditionError(fmt::format(
        "{} is not a store that this version has worked with: start the server on it once",
        data_dir));
  }
  RETURN_IF_ERROR(CheckTarget(directory, data_dir, source, rooms));
  RETURN_IF_ERROR(MakeDirectories(BlobsPath(directory)));
  ASSIGN_OR_RETURN(const Fd lock, LockDataFolder(directory));
  ASSIGN_OR_RETURN(const FolderState target, InspectFolder(directory, rooms));
  ASSIGN_OR_RETURN(const std::string history, NewStoreId());
  StoreIdentity identity = *source.blobs.mark;
  identity.history = history;
  if (!target.blobs.mark) RETURN_IF_ERROR(WriteStoreMark(target.blobs_path, identity));
  GLEANER_CRASH_POINT("backup.marked");

  ASSIGN_OR_RETURN(const Fd held, HoldRemovals(source.blobs_path));
  const std::string next = target.catalog_path + ".next";
  RETURN_IF_ERROR(CopyCatalog(source.catalog_path, next, [&](Sql& sql) -> absl::Status {
    for (const RoomTables& room : rooms.tables) {
      if (!room.left_out.empty()) sql.connection().Script(room.left_out);
    }
    MakeBackupOf(sql, rooms.naming, history);
    identity.named = ReadIdentity(sql).named;
    return absl::OkStatus();
  }));
  const auto install = [&]() -> absl::Status {
    if (::rename(next.c_str(), target.catalog_path.c_str()) != 0) {
      return ErrnoStatus(errno, fmt::format("rename {} to {}", next, target.catalog_path));
    }
    return SyncDirectory(directory);
  };
  if (GLEANER_FAULT("backup.catalog_first")) RETURN_IF_ERROR(install());
  GLEANER_CRASH_POINT("backup.catalog_copied");
  ASSIGN_OR_RETURN(TransferResult copied, CopyBlobs(source, target, next, rooms, on_progress));
  GLEANER_CRASH_POINT("backup.blobs_copied");
  RETURN_IF_ERROR(install());
  GLEANER_CRASH_POINT("backup.installed");
  RETURN_IF_ERROR(WriteStoreMark(target.blobs_path, identity));
  BackupResult result{.brought_bytes = copied.done.bytes, .damaged = std::move(copied.damaged)};
  ASSIGN_OR_RETURN(result.clips, CountClips(target.catalog_path));
  return result;
}

}  // namespace gleaner::cloud
