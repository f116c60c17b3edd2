// Where a test's objects are kept: beside what is staged, or, where the environment says
// GLEANER_TEST_OBJECTS=bucket, in a real bucket.
#pragma once

#include <memory>
#include <string>

#include "cloud/store/file_blob_store.h"
#include "cloud/store/s3/object_store.h"

namespace gleaner {

bool InBucket();

class TestObjects {
 public:
  // `staging` outlives it; `folder` is the test's own, and the same folder leads to the same
  // bucket.
  TestObjects(cloud::FileBlobStore& staging, const std::string& folder);

  cloud::ObjectStore& operator*() {
    return bucket_ ? *bucket_ : static_cast<cloud::ObjectStore&>(files_);
  }

 private:
  cloud::FileBlobStore& files_;
  std::unique_ptr<cloud::s3::Client> client_;
  std::unique_ptr<cloud::s3::S3ObjectStore> bucket_;
};

}  // namespace gleaner
