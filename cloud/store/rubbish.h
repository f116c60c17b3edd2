// Freeing what the catalog has given up.
#pragma once

#include "absl/status/status.h"
#include "cloud/store/blob_names.h"
#include "cloud/store/object_store.h"
#include "cloud/store/upload_staging.h"

namespace gleaner::cloud {

// Removes the blobs and objects that were named and are no more, and then forgets them: a crash in
// between leaves a row of what is gone, which is removed once more. What another server staged is
// left to that server's sweep. Those that have a writer are left
// for the next time. UNAVAILABLE while a backup is made, which may still want them, and where a
// bucket is away.
absl::Status FreeRubbish(BlobNames& names, UploadStaging& staging, ObjectStore& objects);

// The same of what is on this server's disk alone, for those who can't wait for a bucket.
absl::Status FreeStagedRubbish(BlobNames& names, UploadStaging& staging);

}  // namespace gleaner::cloud
