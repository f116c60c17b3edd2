// Freeing what the catalogue has given up.
#pragma once

#include "absl/status/status.h"
#include "cloud/store/blob_names.h"
#include "cloud/store/blob_store.h"

namespace gleaner::cloud {

// Removes the blobs that were named and are no more, and then forgets them: a crash in between
// leaves a row whose blob is gone, which is removed once more. Those that have a writer are left
// for the next time. UNAVAILABLE while a backup is made, which may still want them.
absl::Status FreeRubbish(BlobNames& names, BlobStore& blobs);

}  // namespace gleaner::cloud
