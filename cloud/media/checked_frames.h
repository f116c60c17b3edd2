// What a check of a clip took out of its videos, for rooms that keep it.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "cloud/database/sql.h"
#include "cloud/media/worker_answer.h"
#include "cloud/store/object_store.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud {

struct CheckedVideo {
  size_t position = 0;  // in the manifest
  std::vector<media::ChosenFrame> frames;
  // One object with the thumbnails of all of them, one behind the other; on stable storage.
  ObjectKey thumbnails;
};

struct CheckedClip {
  std::string_view id;
  const v1::ClipManifest& manifest;  // of no use where there are no videos
  // Those with frames. They take the place of what an earlier check of the clip found.
  const std::vector<CheckedVideo>& videos;
};

// Within the transaction that records the check; may throw SqlError.
using WithCheck = std::function<void(Sql& sql, const CheckedClip& clip)>;

}  // namespace gleaner::cloud
