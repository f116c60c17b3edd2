// Real buckets for tests: of a radosgw that the test process starts for itself.
#pragma once

#include <string>

#include "cloud/store/s3/client.h"
#include "tests/data/radosgw.h"

namespace gleaner {

// A bucket for `name`, made empty where it isn't there yet, and the same for the same name, also in
// processes that this one starts. The store is started by the first who asks, works in memory, and
// goes with that process.
cloud::s3::BucketOptions TestBucket(const std::string& name);

// The same of a store of the caller's own.
cloud::s3::BucketOptions BucketOf(const std::string& endpoint, const std::string& name);

}  // namespace gleaner
