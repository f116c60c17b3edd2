// Backup and restore of a server's data. For people: "Backup and restore" in cloud/README.md.
//
// A backup is a data folder like any other (data_folder.h): catalog.db and blobs/. Order of writes,
// so that it is a whole one at every moment, the last or the one before:
//   1. a mark, so that the folder is known again            (backup.marked)
//   2. a copy of the catalog under another name, of one moment, of which no clip is removed while
//      the backup is made (HoldRemovals)                    (backup.catalog_copied)
//   3. the blobs that it names and the last backup doesn't, each read back from the disk and found
//      to have its digest                                   (backup.blobs_copied)
//   4. the copy takes the name catalog.db                   (backup.installed)
//   5. the mark with the new history
// A backup never removes anything, and copies each blob once, whatever the number of backups into
// one folder. It leaves out uploads under way: devices send these again.
//
// A restore brings back what a backup knew and destroys nothing: what it finds that the backup
// doesn't name, which came later, is kept aside. Order of writes:
//   1. a mark, if there is none                             (restore.marked)
//   2. the blobs that are missing or damaged here           (restore.blobs_copied)
//   3. the catalog under another name, with a new history and what is kept aside
//                                                           (restore.catalog_ready)
//   4. the mark with that history: from here on no server starts with the old catalog
//                                                           (restore.marked_again)
//   5. the old catalog gets another name, with its log     (restore.set_aside)
//   6. the new one takes its own
// After a crash anywhere a server starts with what was there before, or refuses to start, and the
// restore can be done again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/store/blob_transfer.h"
#include "common/clock.h"

namespace gleaner::cloud {

using OnProgress = std::function<void(const TransferProgress&)>;

struct BackupResult {
  uint64_t clips = 0;
  uint64_t brought_bytes = 0;        // those that the folder didn't have
  std::vector<std::string> damaged;  // in the store itself: a sentence each
};

// Of the folder `data_dir`, also while a server works there, into `directory`, which is made, or
// holds an earlier backup of the same store. FAILED_PRECONDITION with a sentence otherwise, or if
// catalog and blobs don't belong together.
absl::StatusOr<BackupResult> MakeBackup(const std::string& data_dir, const std::string& directory,
                                        const StoreRooms& rooms,
                                        const OnProgress& on_progress = nullptr);

struct RestoreResult {
  uint64_t clips = 0;
  uint64_t brought_bytes = 0;
  uint64_t kept_bytes = 0;           // younger than the backup, or unknown to it for another reason
  std::string set_aside;             // where the old catalog is; empty if there was none
  std::vector<std::string> damaged;  // in the backup: a sentence each
};

// Of the backup in `directory`, into `data_dir`, where no server works: made, empty, or the folder
// of the same store whose catalog is lost, damaged or doesn't fit. `directory` may be `data_dir`
// itself: then the catalog that lies there, put back by hand from whatever copy, is accepted as
// it is. FAILED_PRECONDITION with a sentence otherwise.
absl::StatusOr<RestoreResult> Restore(const std::string& directory, const std::string& data_dir,
                                      const StoreRooms& rooms, Clock& clock,
                                      const OnProgress& on_progress = nullptr);

}  // namespace gleaner::cloud
