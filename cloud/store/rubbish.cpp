#include "cloud/store/rubbish.h"

#include <vector>

#include "common/crash_point.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kAtOnce = 256;

// `objects`: null to leave what is elsewhere.
absl::Status Free(BlobNames& names, UploadStaging& staging, ObjectStore* objects) {
  BlobId after;
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<BlobId> rubbish, names.FindRubbish(after, kAtOnce));
    if (rubbish.empty()) return absl::OkStatus();
    after = rubbish.back();
    // With files all of it is blobs, those of objects included.
    std::vector<BlobId> blobs, elsewhere;
    for (const BlobId& one : rubbish) (IsBlobId(one) ? blobs : elsewhere).push_back(one);
    ASSIGN_OR_RETURN(std::vector<BlobId> removed, staging.Retire(blobs));
    if (objects != nullptr) {
      for (const ObjectKey& key : elsewhere) {
        RETURN_IF_ERROR(objects->Remove(key));
        removed.push_back(key);
      }
    }
    GLEANER_CRASH_POINT("store.rubbish_removed");
    if (!removed.empty()) RETURN_IF_ERROR(names.ForgetRubbish(removed));
  }
}

}  // namespace

absl::Status FreeRubbish(BlobNames& names, UploadStaging& staging, ObjectStore& objects) {
  return Free(names, staging, &objects);
}

absl::Status FreeStagedRubbish(BlobNames& names, UploadStaging& staging) {
  return Free(names, staging, nullptr);
}

}  // namespace gleaner::cloud
