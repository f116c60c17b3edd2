#include "tests/data/test_objects.h"

#include <cstdlib>
#include <string_view>

#include "common/clock.h"
#include "tests/data/test_bucket.h"

namespace gleaner {

bool InBucket() {
  const char* chosen = std::getenv("GLEANER_TEST_OBJECTS");
  return chosen != nullptr && std::string_view(chosen) == "bucket";
}

TestObjects::TestObjects(cloud::FileBlobStore& staging, const std::string& folder)
    : files_(staging) {
  if (!InBucket()) return;
  // A real clock: the store judges signatures by it.
  client_ = std::make_unique<cloud::s3::Client>(TestBucket(folder), RealClock());
  bucket_ = std::make_unique<cloud::s3::S3ObjectStore>(
      *client_, &staging, cloud::s3::S3ObjectOptions{.copies = folder});
}

}  // namespace gleaner
