// What is known of the clips' media: what a look at it found, thumbnails.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/store/blob_names.h"
#include "cloud/store/object_store.h"
#include "common/clip_key.h"
#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cloud {

RoomTables MediaTables();
NamingTable ThumbnailNames();

// What a look at a clip needs.
struct ClipMedia {
  std::string device;
  ClipKey key;
  std::string manifest;
  std::vector<ObjectKey> videos;  // in the manifest's order
  bool checked = false;           // it was looked at before
};

// The kind of job (jobs/jobs.h) that looks at a clip, which is its subject.
inline constexpr std::string_view kMediaCheck = "media-check";

// --- within a room's transaction; may throw SqlError

// Has somebody look at a clip.
void AskForMediaCheck(Sql& sql, std::string_view device, std::string_view clip_id,
                      int64_t now_unix_ns);
// Somebody has looked at it, and not only been asked to.
bool WasChecked(Sql& sql, std::string_view clip_id);
// Replaces an earlier check and its thumbnails. NOT_FOUND without such a clip.
absl::Status RecordMediaCheck(Sql& sql, std::string_view clip_id, const v1::MediaCheck& check,
                              const std::vector<ObjectKey>& thumbnails);

// Thread-safe; blocks. Errors as Database.
class MediaChecks {
 public:
  // `database` must outlive it.
  explicit MediaChecks(Database& database) : database_(database) {}

  // NOT_FOUND without such a clip.
  absl::StatusOr<ClipMedia> Find(std::string_view clip_id);
  // NOT_FOUND says what is missing: the clip or the thumbnail.
  absl::StatusOr<ObjectKey> FindThumbnail(std::string_view clip_id, size_t index);

 private:
  Database& database_;
};

}  // namespace gleaner::cloud
