#include "cloud/frames/pictures.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "cloud/media/worker_process.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

absl::Status Stopping() { return absl::CancelledError("the server is stopping"); }

}  // namespace

absl::StatusOr<std::string> DecodeFrame(ObjectStore& objects, const FrameVideo& video, int64_t pts,
                                        const std::string& program, int64_t cpu_ns,
                                        const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const Fd copy, objects.OpenCopy(video.key));
  return media::RunForPicture(program, copy.get(), video.track, pts, cpu_ns, stop);
}

Pictures::Pictures(Frames& frames, ObjectStore& objects, Options options)
    : frames_(frames), objects_(objects), options_(std::move(options)) {
  auto cache = PictureCache::Open(options_.folder, options_.cache_bytes);
  if (cache.ok()) {
    cache_ = *std::move(cache);
  } else {
    LOG_WARN("pictures are decoded each time they are asked for: {}", Message(cache.status()));
  }
}

absl::StatusOr<Picture> Pictures::Get(const FrameName& name) {
  ASSIGN_OR_RETURN(const FrameVideo video, frames_.FindVideo(name));
  const std::string key = fmt::format("{} {} {}", name.clip, video.position, name.pts);
  if (cache_ != nullptr) {
    if (auto cached = cache_->Find(key)) {
      ++had_;
      return Picture{.bytes = {}, .cached = *std::move(cached)};
    }
  }
  const std::stop_token stop = stop_.get_token();
  std::unique_lock lock(mutex_);
  if (stop.stop_requested()) return Stopping();
  const auto wait = [&](auto until) -> absl::Status {
    if (until()) return absl::OkStatus();
    if (waiting_ >= options_.waiting) {
      return absl::ResourceExhaustedError("too many pictures are being decoded: ask again");
    }
    ++waiting_;
    const bool came = changed_.wait(lock, stop, until);
    --waiting_;
    return came ? absl::OkStatus() : Stopping();
  };
  if (const auto other = flights_.find(key); other != flights_.end()) {
    const std::shared_ptr<Flight> flight = other->second;
    RETURN_IF_ERROR(wait([&] { return flight->done; }));
    return flight->result;
  }
  const auto flight = std::make_shared<Flight>();
  flights_[key] = flight;
  absl::Status may_begin = wait([&] { return running_ < options_.at_once; });
  if (may_begin.ok()) {
    ++running_;
    lock.unlock();
    auto result = Decode(video, name.pts, key);
    ++(result.ok() ? decoded_ : failed_);
    lock.lock();
    --running_;
    flight->result = std::move(result);
  } else {
    flight->result = may_begin;
  }
  flight->done = true;
  flights_.erase(key);
  changed_.notify_all();
  return flight->result;
}

absl::StatusOr<Picture> Pictures::Decode(const FrameVideo& video, int64_t pts,
                                         const std::string& key) {
  ASSIGN_OR_RETURN(std::string jpeg, DecodeFrame(objects_, video, pts, options_.program,
                                                 options_.cpu_ns, stop_.get_token()));
  Picture picture;
  picture.cached.size = jpeg.size();
  picture.cached.sha256 = Sha256::Of(jpeg);
  if (cache_ != nullptr) {
    // That it isn't kept costs time, some day.
    if (const auto kept = cache_->Put(key, jpeg, picture.cached.sha256); !kept.ok()) {
      LOG_DEBUG("a picture isn't kept: {}", Message(kept));
    }
  }
  picture.bytes = std::make_shared<const std::string>(std::move(jpeg));
  return picture;
}

Pictures::Counts Pictures::counts() const {
  return {.decoded = decoded_,
          .cached = had_,
          .failed = failed_,
          .cache_bytes = cache_ == nullptr ? 0 : cache_->bytes()};
}

void Pictures::Stop() {
  stop_.request_stop();
  std::lock_guard lock(mutex_);
  changed_.notify_all();
}

}  // namespace gleaner::cloud
