// Frames at full size, decoded when somebody asks for them, in the sandbox that all media is
// decoded in (media/worker_process.h).
//
// Bounded: so many are decoded at once, so many wait for that, and what was decoded is kept in a
// folder of bounded size. Who asks for what another is waiting for gets the same.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "cloud/frames/frames.h"
#include "cloud/frames/picture_cache.h"
#include "cloud/store/object_store.h"
#include "common/digest.h"

namespace gleaner::cloud {

// A JPEG of the upright frame, decoded by gleaner-media (`program`) with at most `cpu_ns` of
// processor time. Errors as Pictures::Get; CANCELLED once `stop` asks for it.
absl::StatusOr<std::string> DecodeFrame(ObjectStore& objects, const FrameVideo& video, int64_t pts,
                                        const std::string& program, int64_t cpu_ns,
                                        const std::stop_token& stop);

// A JPEG: in hand, or in the cache.
struct Picture {
  std::shared_ptr<const std::string> bytes;
  CachedPicture cached;
};

// Thread-safe; blocks.
class Pictures {
 public:
  struct Options {
    std::string program;  // gleaner-media
    int64_t cpu_ns = 0;   // of processor time for one; see RunForPicture
    size_t at_once = 2;
    size_t waiting = 8;
    std::string folder;  // of the cache
    uint64_t cache_bytes = 0;
  };

  // Both must outlive it.
  Pictures(Frames& frames, ObjectStore& objects, Options options);

  // NOT_FOUND names what is missing; FAILED_PRECONDITION says why the frame can't be shown;
  // RESOURCE_EXHAUSTED while too many wait; UNAVAILABLE for trouble of this machine; CANCELLED once
  // it stops.
  absl::StatusOr<Picture> Get(const FrameName& name);

  // Since the start: decoded, had from the cache, and not to be had.
  struct Counts {
    uint64_t decoded = 0, cached = 0, failed = 0;
    uint64_t cache_bytes = 0;
  };
  Counts counts() const;

  // Whoever waits gets CANCELLED, and so does whoever comes.
  void Stop();

 private:
  // One that is being decoded; what came of it.
  struct Flight {
    bool done = false;
    absl::StatusOr<Picture> result = absl::InternalError("");
  };

  absl::StatusOr<Picture> Decode(const FrameVideo& video, int64_t pts, const std::string& key);

  Frames& frames_;
  ObjectStore& objects_;
  const Options options_;
  std::unique_ptr<PictureCache> cache_;  // null where its folder can't be used
  std::stop_source stop_;
  std::atomic<uint64_t> decoded_ = 0, had_ = 0, failed_ = 0;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  size_t running_ = 0;
  size_t waiting_ = 0;
  std::map<std::string, std::shared_ptr<Flight>> flights_;
};

}  // namespace gleaner::cloud
