#include "tests/data/test_bucket.h"

#include <stdlib.h>

#include <mutex>
#include <stdexcept>

#include "common/clock.h"
#include "common/digest.h"
#include "tests/data/temporary_folder.h"

namespace gleaner {
namespace {

// Where it listens, for processes that the first one starts.
constexpr const char* kVariable = "GLEANER_TEST_S3";

std::string Endpoint() {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (const char* known = ::getenv(kVariable); known != nullptr) return known;
  static const TemporaryFolder folder;
  static const Radosgw store(folder.path(), Radosgw::KeptIn::kMemory);
  ::setenv(kVariable, store.endpoint().c_str(), 1);
  return store.endpoint();
}

}  // namespace

cloud::s3::BucketOptions TestBucket(const std::string& name) {
  if (!HasRadosgw()) throw std::runtime_error(kNoRadosgw);
  return BucketOf(Endpoint(), name);
}

cloud::s3::BucketOptions BucketOf(const std::string& endpoint, const std::string& name) {
  cloud::s3::BucketOptions options{
      .endpoint = endpoint,
      .bucket = "b" + Hex(AsBytes(Sha256::Of(name))).substr(0, 16),
      .prefix = "fleet/north",
      .credentials = {.access_key = "gleaner", .secret_key = "gleaner-secret"}};
  cloud::s3::Client client(options, RealClock());
  const cloud::s3::Body none = cloud::s3::Body::Of("");
  const auto made = client.Send({.method = "PUT", .body = &none});
  if (!made.ok()) throw std::runtime_error(made.status().ToString());
  return options;
}

}  // namespace gleaner
