#include "cloud/ingest/janitor.h"

#include "cloud/store/rubbish.h"
#include "common/log.h"
#include "common/status.h"
#include "common/text.h"

namespace gleaner::cloud {

Janitor::Janitor(Uploads& uploads, BlobNames& names, UploadStaging& staging, ObjectStore& objects,
                 Clock& clock, const JanitorOptions& options)
    : uploads_(uploads),
      names_(names),
      staging_(staging),
      objects_(objects),
      clock_(clock),
      options_(options) {
  thread_ = std::jthread([this](const std::stop_token& stop) {
    do {
      const absl::Status status = Clean(stop);
      if (absl::IsUnavailable(status)) {
        LOG_INFO("left-over uploads are cleared the next time: {}", Message(status));
      } else if (!status.ok() && !stop.stop_requested()) {
        LOG_ERROR("clearing left-over uploads: {}", Message(status));
      }
    } while (clock_.Sleep(stop, options_.interval_ns));
  });
}

absl::Status Janitor::Clean(const std::stop_token& stop) {
  // A catalog that takes no changes can still say what it names.
  const auto dropped = uploads_.DropBefore(clock_.WallNs() - options_.keep_uploads_ns);
  const uint64_t uploads = dropped.ok() ? *dropped : 0;
  const absl::Status freed = FreeRubbish(names_, staging_, objects_);
  RETURN_IF_ERROR(names_.Check());
  ASSIGN_OR_RETURN(
      const uint64_t bytes,
      staging_.Sweep([&](std::string_view prefix) { return names_.Find(prefix); }, stop));
  if (uploads + bytes > 0) {
    LOG_INFO("cleared {} that never ended and {} that nothing names", Count(uploads, "upload"),
             HumanBytes(bytes));
  }
  return dropped.ok() ? freed : dropped.status();
}

}  // namespace gleaner::cloud
