// Copies blobs from one folder of segments to another, each to the place that its id says.
#pragma once

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/store/upload_staging.h"
#include "common/digest.h"

namespace gleaner::cloud {

class BlobCopy {
 public:
  BlobCopy(std::string from, std::string to) : from_(std::move(from)), to_(std::move(to)) {}

  // Shares the bytes where the file system can (Btrfs, XFS), else copies them; what lay there is
  // overwritten. Not hard links: segments are written and punched in place, and a copy must stay
  // what it was. NOT_FOUND if it isn't there.
  absl::Status Copy(const BlobId& id);
  // What was copied so far is durable on return, and no longer in memory: what is read after this
  // comes from the disk.
  absl::Status Sync();

 private:
  const std::string from_, to_;
  std::set<std::string> touched_;  // segments of `to`, since the last Sync
};

// Of the blob's bytes. NOT_FOUND if there are none.
absl::StatusOr<Sha256Digest> DigestOfBlob(const std::string& blobs, const BlobId& id);

// Whether bytes lie where the blob begins.
bool HasBlob(const std::string& blobs, const BlobId& id);

}  // namespace gleaner::cloud
