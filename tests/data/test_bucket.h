// Real buckets for tests: of a radosgw that the test process starts for itself (radosgw.sh).
#pragma once

#include <string>

#include "cloud/store/s3/client.h"

namespace gleaner {

// Whether there is one to be had on this machine; else the test is skipped, and says which packages
// it needs.
bool HasRadosgw();
inline constexpr const char* kNoRadosgw = "needs the packages radosgw, ceph-mon, ceph-osd";

// A bucket for `name`, made empty where it isn't there yet, and the same for the same name, also in
// processes that this one starts. The store is started by the first who asks, works in memory, and
// goes with that process.
cloud::s3::BucketOptions TestBucket(const std::string& name);

}  // namespace gleaner
