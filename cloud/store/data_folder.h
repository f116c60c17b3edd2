// A server's data: catalog and blobs, opened together or not at all.
//
//   DATA/lock                   held by whoever works there
//   DATA/catalog.db (-wal)      the catalog
//   DATA/catalog.db.schema-N    what it was before it was migrated from version N
//   DATA/blobs/store            which store this is: see store_mark.h
//   DATA/blobs/…                the segments
//
// Everything is looked at before anything is changed: whether the two belong together (Judge in
// folder_state.h), whether this program can read them, and whether there is room for what an
// upgrade needs. Then, in this order, each step durable before the next and each repeatable after a
// crash:
//   1. an older catalog is copied           (store.catalog_copied)
//   2. and migrated                           (catalog.migrated)
//   3. blobs of an older layout are imported  (import.linked, import.renamed)
//   4. what nothing names is kept aside, since nobody knows whether the catalog is as young as
//      the blobs                              (store.kept_aside)
//   5. the catalog is given the store's id  (store.catalog_said)
//   6. the blobs are given id and history     (store.marked)
//   7. the catalog is given the history
// Steps 3 to 7 happen once in the life of a store.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/store/blob_names.h"
#include "cloud/store/file_blob_store.h"
#include "cloud/store/folder_state.h"
#include "cloud/store/store_mark.h"
#include "cloud/store/stores.h"
#include "common/clock.h"
#include "common/file.h"

namespace gleaner::cloud {

class DataFolder : public Stores {
 public:
  // Made if it isn't there. FAILED_PRECONDITION with a sentence if another server works there or
  // what lies there doesn't belong together; RESOURCE_EXHAUSTED without room for an upgrade; else
  // as Database::Open and FileBlobStore::Open. `database`: see InspectFolder. `clock` outlives it.
  static absl::StatusOr<std::unique_ptr<DataFolder>> Open(const std::string& path,
                                                          const StoreRooms& rooms, Clock& clock,
                                                          const FileBlobOptions& blobs = {},
                                                          const std::string& database = "");

  Database& database() override { return *database_; }
  BlobNames& names() override { return *names_; }
  UploadStaging& staging() override { return *blobs_; }
  ObjectStore& objects() override { return *blobs_; }
  FileBlobStore& blobs() { return *blobs_; }

 private:
  DataFolder() = default;
  // They go from the last to the first: the database tells the witness until its end.
  Fd lock_;
  std::unique_ptr<StoreWitness> witness_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<BlobNames> names_;
  std::unique_ptr<FileBlobStore> blobs_;
};

// What Open would say, found out without changing anything, also beside a running server.
absl::Status CheckDataFolder(const std::string& path, const StoreRooms& rooms,
                             const std::string& database = "");

// Held for life by whoever works in a folder: two would each believe that the catalog is theirs.
// FAILED_PRECONDITION if somebody does.
absl::StatusOr<Fd> LockDataFolder(const std::string& path);

// An older catalog that is about to be migrated gets a copy, as above (store.catalog_copied);
// one in PostgreSQL doesn't.
absl::Status CopyBeforeMigration(const FolderState& state);

// Keeps aside every run of bytes that nothing names. How many bytes.
absl::StatusOr<uint64_t> KeepUnnamed(BlobNames& names, FileBlobStore& blobs, Clock& clock);

// 32 of lower-case hex, for ids and histories.
absl::StatusOr<std::string> NewStoreId();

}  // namespace gleaner::cloud
