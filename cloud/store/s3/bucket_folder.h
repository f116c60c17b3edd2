// A server whose objects are in a bucket: what it stages and, unless it is elsewhere, its catalog
// are in a folder of its own.
//
//   DATA/lock                   held by whoever works there
//   DATA/catalog.db (-wal)      the catalog
//   DATA/staging/…              uploads under way: segments, as objects have with files
//   PREFIX/store                in the bucket: which store it is, as text of two lines,
//                                 gleaner object store 1
//                                 id 0f3c…           32 of lower-case hex
//   PREFIX/clips/…              the objects: see object_store.h
//
// The catalog says which store it is as well (StoreIdentity), and a server starts only where both
// say the same. Nothing in the bucket is ever removed but what the catalog has written down to be
// removed, so a catalog that is older than the bucket loses no clip: it doesn't know some, and
// `gleaner-cloud recover` brings them back. What is staged is worth nothing without its upload's
// row, and its device has it still: a lost folder costs a second sending.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/store/file_blob_store.h"
#include "cloud/store/s3/client.h"
#include "cloud/store/s3/object_store.h"
#include "cloud/store/s3/store_config.h"
#include "cloud/store/stores.h"
#include "common/clock.h"
#include "common/file.h"

namespace gleaner::cloud::s3 {

class BucketFolder : public Stores {
 public:
  // `path` is made if it isn't there. FAILED_PRECONDITION with a sentence if another server works
  // there, or catalog and bucket don't belong together; else as Database::Open and Client.
  // `database`: see InspectFolder (folder_state.h); with one, any number of servers share it and
  // the bucket, each with a folder of its own.
  // `clock` outlives it.
  static absl::StatusOr<std::unique_ptr<BucketFolder>> Open(const std::string& path,
                                                            const StoreRooms& rooms, Clock& clock,
                                                            const StoreConfig& store,
                                                            uint64_t copy_floor_bytes = 0,
                                                            const std::string& database = "");
  Database& database() override { return *database_; }
  BlobNames& names() override { return *names_; }
  UploadStaging& staging() override { return *staging_; }
  S3ObjectStore& objects() override { return *objects_; }
  void Stop() override { client_->Stop(); }

 private:
  BucketFolder() = default;
  Fd lock_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<BlobNames> names_;
  std::unique_ptr<FileBlobStore> staging_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<S3ObjectStore> objects_;
};

// The id in the bucket's mark; none without one. FAILED_PRECONDITION if it isn't ours.
absl::StatusOr<std::optional<std::string>> ReadBucketMark(S3ObjectStore& objects,
                                                          const std::string& bucket);

// What Open would say, found out without changing anything, also beside a running server.
absl::Status CheckBucketFolder(const std::string& path, const StoreRooms& rooms, Clock& clock,
                               const StoreConfig& store, const std::string& database = "");

}  // namespace gleaner::cloud::s3
