// What many servers share, for bench_ingest: a PostgreSQL that syncs and a radosgw with its objects
// on the disk.
#pragma once

#include <string>

#include "cloud/store/s3/client.h"
#include "tests/data/postgres_server.h"
#include "tests/data/radosgw.h"

namespace gleaner::bench {

class SharedStores {
 public:
  // On the disk of `parent`; writes in `folder` and beside it. Throws std::runtime_error.
  SharedStores(const std::string& parent, const std::string& folder);

  std::string database() const { return postgres_.Name("fleet"); }
  const std::string& endpoint() const { return radosgw_.endpoint(); }
  const std::string& bucket() const { return ours_.bucket; }
  // The peer's bucket, for whoever has the key.
  std::string peers_bucket_url() const { return theirs_.endpoint + "/" + theirs_.bucket; }
  std::string key() const {
    return theirs_.credentials.access_key + ":" + theirs_.credentials.secret_key;
  }

  // Removes every clip from both buckets.
  void Clear();

 private:
  PostgresServer postgres_;
  Radosgw radosgw_;
  cloud::s3::BucketOptions ours_, theirs_;
};

}  // namespace gleaner::bench
