// Committed clips, for people and for serving: lists, one clip, its objects, the tallies.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/clips/clip_rows.h"
#include "cloud/database/database.h"
#include "cloud/search/filter.h"
#include "cloud/store/object_store.h"

namespace gleaner::cloud {

// An object of a committed clip, for serving.
struct ObjectRow {
  ObjectKey key;
  std::string content_type;
  uint64_t size_bytes = 0;
  Sha256Digest sha256{};
};

// Thread-safe; blocks. Errors as Database.
class Clips {
 public:
  // `database` must outlive it.
  explicit Clips(Database& database) : database_(database) {}

  // INVALID_ARGUMENT for a page size or a token that is none, or as FilterCondition.
  absl::StatusOr<v1::ListClipsResponse> List(const v1::ListClipsRequest& request,
                                             const Filter& filter);
  // NOT_FOUND, as the next three.
  absl::StatusOr<v1::GetClipResponse> Get(std::string_view clip_id);
  // `index` counts objects of that kind.
  absl::StatusOr<ObjectRow> FindObject(std::string_view clip_id, v1::ClipObject::Kind kind,
                                       size_t index);
  absl::StatusOr<ManifestRow> FindManifest(std::string_view clip_id);

 private:
  Database& database_;
};

// The clips' part of the summary: counts and facets.
void ReadClipSummary(Sql& sql, v1::GetSummaryResponse* summary);

}  // namespace gleaner::cloud
