// `gleaner-cloud recover`: a lost catalog made anew from what the clips' objects say of
// themselves (store/clip_description.h), in a folder or in a bucket.
//
// Every clip that was committed and whose objects are whole comes back, under the id it had, with
// the time in its receipt and the digests in its manifest: all of it is read and hashed. What no
// object says can't be known: ledgers (devices tell them again when they connect; numbers that
// ended without a clip, and whose end they were told was noted, are gaps from then on), when a
// device was last heard of, verdicts and thumbnails (clips are checked anew), uploads under way
// (they begin again), and clips of versions that didn't describe them.
//
// Order of writes: the new catalog under another name, whole (recover.catalog_ready); then the
// store's mark, so that no server starts with the old one; the old one gets another name; the new
// one takes its own. A crash anywhere leaves a folder in which it can be done again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/store/blob_names.h"
#include "cloud/store/s3/store_config.h"
#include "common/clock.h"

namespace gleaner::cloud {

struct RecoverProgress {
  uint64_t clips = 0, total_clips = 0;  // 0 while they are being looked for
};

struct RecoverResult {
  uint64_t clips = 0, bytes = 0;     // brought back
  uint64_t known = 0;                // the catalog had them
  std::vector<std::string> damaged;  // described and not whole: a sentence each
  uint64_t again = 0;                // descriptions of clips that another, younger one describes
  // Bytes that no clip names. With files they are kept aside (see kept.h); in a bucket they stay
  // as they are, but for thumbnails, which are given up.
  uint64_t unnamed_bytes = 0;
  std::string set_aside;  // where the catalog that was there is; empty if there was none
};

// No server works there. FAILED_PRECONDITION with a sentence if there is nothing to make a
// catalog of; or, with files, a catalog that is good for something. Beside a bucket such a one
// gets the clips that it doesn't know: nothing in a bucket was removed for want of a name.
// `database`: a PostgreSQL in the place of catalog.db; empty for the file. It gets what it doesn't
// know; beside files that can't be done.
absl::StatusOr<RecoverResult> Recover(const std::string& data_dir, const StoreConfig& store,
                                      const std::string& database, Clock& clock,
                                      const std::function<void(const RecoverProgress&)>& progress);

}  // namespace gleaner::cloud
