// The layout of earlier versions, read once to leave it: each blob was a file, BLOBS/ab/abcd…, in
// one of 256 folders, under its id of 32 hex digits.
//
// Such a file is a segment with one blob at its beginning, so nothing of it is moved, copied or
// written: it gets a second name, as a segment, and the catalog the new id. Order: the names of a
// few hundred (link), their folder's sync, then one transaction that renames them in the catalog.
// A crash anywhere leaves blobs under one id or the other, each whole, and the import goes on where
// it was. The old names stay for a return to the version before: they cost nothing, and may be
// removed (BLOBS/00 to BLOBS/ff) when nobody wants that any more.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/store/blob_names.h"

namespace gleaner::cloud {

struct LooseBlobs {
  bool layout = false;  // the folders are there
  bool any = false;     // and a blob in them
};
absl::StatusOr<LooseBlobs> FindLooseBlobs(const std::string& blobs);
bool HasLooseBlob(const std::string& blobs, const BlobId& id);

// How many were imported now. What `names` names and isn't there stays as it is. May be repeated.
absl::StatusOr<uint64_t> ImportLooseBlobs(const std::string& blobs, BlobNames& names);

}  // namespace gleaner::cloud
