#include "cloud/store/rubbish.h"

#include <vector>

#include "common/crash_point.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kAtOnce = 256;

}  // namespace

absl::Status FreeRubbish(BlobNames& names, BlobStore& blobs) {
  BlobId after;
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<BlobId> rubbish, names.FindRubbish(after, kAtOnce));
    if (rubbish.empty()) return absl::OkStatus();
    after = rubbish.back();
    ASSIGN_OR_RETURN(const std::vector<BlobId> removed, blobs.Retire(rubbish));
    GLEANER_CRASH_POINT("store.rubbish_removed");
    if (!removed.empty()) RETURN_IF_ERROR(names.ForgetRubbish(removed));
  }
}

}  // namespace gleaner::cloud
