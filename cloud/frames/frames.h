// Frames, for people and for serving: lists, one frame, where its pictures are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/search/filter.h"
#include "cloud/store/object_store.h"
#include "gleaner/v1/clip.pb.h"
#include "gleaner/v1/frames.pb.h"

namespace gleaner::cloud {

// What names a frame for life.
struct FrameName {
  std::string clip;
  std::string camera;
  int64_t pts = 0;
};

// Bytes within an object.
struct ThumbnailPlace {
  ObjectKey key;
  uint64_t offset = 0;
  uint64_t size = 0;
};

// The video that a frame is in.
struct FrameVideo {
  ObjectKey key;
  size_t position = 0;  // in the manifest
  v1::VideoTrack track;
};

// For rooms that say something of frames, within their transactions. Errors as Frames::Get; may
// throw SqlError.
absl::StatusOr<v1::Frame> ReadFrame(Sql& sql, const FrameName& name);

// Thread-safe; blocks. Errors as Database.
class Frames {
 public:
  // `database` must outlive it.
  explicit Frames(Database& database) : database_(database) {}

  // INVALID_ARGUMENT for a page size or a token that is none, or as FilterCondition; NOT_FOUND for
  // a clip that is none.
  absl::StatusOr<v1::ListFramesResponse> List(const v1::ListFramesRequest& request,
                                              const Filter& filter);
  // NOT_FOUND says what is missing: the clip, or that frame of it. So in the next two.
  absl::StatusOr<v1::Frame> Get(const FrameName& name);
  absl::StatusOr<ThumbnailPlace> FindThumbnail(const FrameName& name);
  // Of any frame that the clip's manifest has, whether it was chosen or not.
  absl::StatusOr<FrameVideo> FindVideo(const FrameName& name);

 private:
  Database& database_;
};

}  // namespace gleaner::cloud
