// What is known of the clips' media: which nobody has looked at, what a look found, thumbnails.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/store/blob_names.h"
#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cloud {

RoomTables MediaTables();
NamingTable ThumbnailNames();

// A committed clip whose video nobody has looked at yet.
struct MediaJob {
  std::string clip_id;
  std::string device;
  std::string manifest;
  std::vector<BlobId> videos;
};

// Thread-safe; blocks. Errors as Database.
class MediaChecks {
 public:
  // `database` must outlive it.
  explicit MediaChecks(Database& database) : database_(database) {}

  // The names of devices that have clips nobody has looked at, in ascending order.
  absl::StatusOr<std::vector<std::string>> DevicesWithPending();
  // Of one device; oldest arrivals first.
  absl::StatusOr<std::vector<MediaJob>> Pending(std::string_view device, size_t limit);
  // Replaces an earlier check and its thumbnails. NOT_FOUND without such a clip.
  absl::Status Record(std::string_view clip_id, const v1::MediaCheck& check,
                      const std::vector<BlobId>& thumbnails);
  // NOT_FOUND says what is missing: the clip or the thumbnail.
  absl::StatusOr<BlobId> FindThumbnail(std::string_view clip_id, size_t index);

 private:
  Database& database_;
};

}  // namespace gleaner::cloud
