#include "tests/bench/ingest/shared_stores.h"

#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <vector>

#include "cloud/database/postgres.h"
#include "cloud/store/s3/object_store.h"
#include "common/clock.h"
#include "tests/data/test_bucket.h"

namespace gleaner::bench {
namespace {

std::string Made(const std::string& folder) {
  std::filesystem::create_directory(folder);
  return folder;
}

cloud::s3::BucketOptions BucketWithoutPrefix(const std::string& endpoint, const std::string& name) {
  cloud::s3::BucketOptions bucket = BucketOf(endpoint, name);
  bucket.prefix.clear();
  return bucket;
}

// All but the mark that says whose it is.
void Empty(const cloud::s3::BucketOptions& bucket) {
  cloud::s3::Client client(bucket, RealClock());
  cloud::s3::S3ObjectStore objects(client, nullptr, {});
  std::vector<cloud::ObjectKey> keys;
  const absl::Status listed = objects.List("", [&](const cloud::ObjectKey& key, uint64_t) {
    if (key.find('/') != std::string::npos) keys.push_back(key);
    return absl::OkStatus();
  });
  if (!listed.ok()) throw std::runtime_error(listed.ToString());
  for (const cloud::ObjectKey& key : keys) {
    if (const absl::Status removed = objects.Remove(key); !removed.ok()) {
      throw std::runtime_error(removed.ToString());
    }
  }
}

}  // namespace

SharedStores::SharedStores(const std::string& parent, const std::string& folder)
    : postgres_(parent),
      radosgw_(Made(folder + "/radosgw"), Radosgw::KeptIn::kDisk),
      ours_(BucketWithoutPrefix(radosgw_.endpoint(), "ours")),
      theirs_(BucketWithoutPrefix(radosgw_.endpoint(), "theirs")) {
  cloud::ConnectPostgres(postgres_.Name("postgres"))->Script("CREATE DATABASE fleet");
}

void SharedStores::Clear() {
  Empty(ours_);
  Empty(theirs_);
  ::sync();
}

}  // namespace gleaner::bench
