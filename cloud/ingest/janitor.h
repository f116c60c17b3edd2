// Clears what devices left behind: uploads that never ended, and blobs that nothing names.
#pragma once

#include <cstdint>
#include <stop_token>
#include <thread>

#include "absl/status/status.h"
#include "cloud/ingest/uploads.h"
#include "cloud/store/object_store.h"
#include "cloud/store/upload_staging.h"
#include "common/clock.h"

namespace gleaner::cloud {

struct JanitorOptions {
  int64_t interval_ns = 3600 * kNanosPerSecond;
  // A device that was away for longer sends its clips from the start again.
  int64_t keep_uploads_ns = 30 * 86400 * kNanosPerSecond;
};

// Works once at the start and then every interval on a thread of its own, until destroyed, which a
// round under way does not hold up. What
// fails is logged and tried again the next time.
class Janitor {
 public:
  // All must outlive it.
  Janitor(Uploads& uploads, BlobNames& names, UploadStaging& staging, ObjectStore& objects,
          Clock& clock, const JanitorOptions& options = {});

  // One round, now: on the caller's thread. CANCELLED soon after `stop`.
  absl::Status Clean(const std::stop_token& stop = {});

 private:
  Uploads& uploads_;
  BlobNames& names_;
  UploadStaging& staging_;
  ObjectStore& objects_;
  Clock& clock_;
  const JanitorOptions options_;
  std::jthread thread_;
};

}  // namespace gleaner::cloud
