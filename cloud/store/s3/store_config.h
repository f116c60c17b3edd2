// [store] of the server's configuration: where objects are kept.
#pragma once

#include "cloud/store/s3/client.h"
#include "common/config.h"

namespace gleaner::cloud {

struct StoreConfig {
  bool in_bucket = false;  // else beside the catalog
  s3::BucketOptions bucket;
  // Whoever plays a clip is sent to the bucket for it, by a URL that holds for a while.
  bool presign = false;
};

// Notes every mistake at its key. Without a key there, the credentials are those of the environment
// (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY).
StoreConfig ReadStoreConfig(ConfigReader store);

}  // namespace gleaner::cloud
