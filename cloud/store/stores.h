// All that a server keeps: the database with what it knows, and where the bytes are. Opened
// together or not at all, by what knows how to make sure that they belong together: DataFolder
// (everything in one folder) or s3::BucketFolder (the objects in a bucket).
#pragma once

#include "cloud/database/database.h"
#include "cloud/store/blob_names.h"
#include "cloud/store/object_store.h"
#include "cloud/store/upload_staging.h"

namespace gleaner::cloud {

class Stores {
 public:
  virtual ~Stores() = default;
  virtual Database& database() = 0;
  virtual BlobNames& names() = 0;
  virtual UploadStaging& staging() = 0;
  virtual ObjectStore& objects() = 0;
  // Nothing waits for another machine any more: what asks one is answered CANCELLED.
  virtual void Stop() {}
};

}  // namespace gleaner::cloud
