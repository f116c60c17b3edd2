// What a format of whole clips takes of one: the manifest, the sample series, and each video as
// access units, taken out of its MP4 by the sandboxed worker and decoded by nobody.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/dataset/frozen_list.h"
#include "cloud/dataset/spool_file.h"
#include "cloud/store/object_store.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud {

// A coded picture.
struct AccessUnit {
  int64_t pts = 0;
  int64_t unix_ns = 0;
  bool keyframe = false;
  std::string_view bytes;  // H.264 or H.265 in Annex B, with parameter sets before an IDR picture
};

struct ClipSource {
  v1::ClipManifest manifest;
  uint64_t bytes = 0;  // of its videos and its series
  // Empty for a clip without one.
  std::function<absl::StatusOr<v1::SampleSeries>()> series;
  // In the order in which they are coded, which is that in which they are shown.
  // FAILED_PRECONDITION, before the first one, says why the video is none of those.
  std::function<absl::Status(std::string_view camera,
                             const std::function<absl::Status(const AccessUnit&)>& each)>
      video;
};

class ClipSources {
 public:
  struct Options {
    std::string program;  // gleaner-media
    int64_t cpu_ns = 0;   // for each video
    std::string folder;   // for a video while it is checked
  };
  // The first two must outlive it.
  ClipSources(Database& database, ObjectStore& objects, Options options)
      : database_(database), objects_(objects), options_(std::move(options)) {}

  // The clip of a frame that is in the list, which tells its split; `key` and `schema` say in which
  // splits the frames are that it looks like. NOT_FOUND where the clip is gone.
  absl::StatusOr<ClipSource> Open(const FrozenFrame& frame, const std::string& key,
                                  const std::string& schema, std::stop_token stop) const;
  // Of the clip's videos and its series. Errors as Open.
  absl::StatusOr<uint64_t> SizeOf(const std::string& clip) const;

 private:
  struct Objects;

  absl::StatusOr<Objects> Find(const std::string& clip) const;
  absl::Status Video(const Objects& clip, std::string_view camera, const std::stop_token& stop,
                     const std::function<absl::Status(const AccessUnit&)>& each) const;

  Database& database_;
  ObjectStore& objects_;
  const Options options_;
};

}  // namespace gleaner::cloud
