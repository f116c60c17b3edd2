#include "cloud/media/checker.h"

#include <fmt/format.h>
#include <sys/uio.h>

#include <thread>
#include <vector>

#include "cloud/media/worker_process.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kQueueLength = 64;
constexpr int kMaxKilled = 3;
constexpr int64_t kAskAgainNs = 5 * kNanosPerSecond;
constexpr uint64_t kBackoffSeed = 0x6d65646961;

media::WorkerAnswer Failed(std::string problem) {
  media::WorkerAnswer answer;
  answer.verdict.set_state(v1::MediaCheck::STATE_FAILED);
  answer.verdict.set_problem(std::move(problem));
  return answer;
}

}  // namespace

MediaChecker::MediaChecker(Catalog& catalog, BlobStore& blobs, Clock& clock, Options options)
    : catalog_(catalog),
      blobs_(blobs),
      clock_(clock),
      options_(std::move(options)),
      wake_(std::make_shared<Wake>()),
      backoff_(kNanosPerSecond, 60 * kNanosPerSecond, kBackoffSeed) {
  catalog_.OnClip([wake = wake_] {
    {
      std::lock_guard lock(wake->mutex);
      wake->arrived = true;
    }
    wake->changed.notify_one();
  });
}

MediaChecker::~MediaChecker() = default;

void MediaChecker::Run(const std::stop_token& stop) {
  std::vector<std::jthread> workers;
  for (size_t i = 0; i < options_.workers; ++i) workers.emplace_back([&] { Work(stop); });
}

void MediaChecker::Work(const std::stop_token& stop) {
  while (const auto job = NextJob(stop)) {
    const int64_t begun_ns = clock_.MonotonicNs();
    const absl::Status status = Check(*job, stop);
    const double seconds = static_cast<double>(clock_.MonotonicNs() - begun_ns) / kNanosPerSecond;
    int64_t wait_ns = 0;
    {
      std::lock_guard lock(wake_->mutex);
      taken_.erase(job->clip_id);
      if (status.ok()) {
        killed_.erase(job->clip_id);
        if (refilling_) done_meanwhile_.insert(job->clip_id);
        backoff_.Reset();
      } else if (!stop.stop_requested()) {
        wait_ns = backoff_.NextNs();
        wake_->arrived = true;  // the clip is still pending: look again
      }
    }
    if (wait_ns > 0) {
      LOG_ERROR("clip {} can't be checked now, after {:.1f} s: {}", job->clip_id, seconds,
                Message(status));
      clock_.Sleep(stop, wait_ns);
    }
  }
}

std::optional<MediaJob> MediaChecker::NextJob(const std::stop_token& stop) {
  std::unique_lock lock(wake_->mutex);
  for (;;) {
    if (stop.stop_requested()) return std::nullopt;
    if (!queue_.empty()) {
      MediaJob job = std::move(queue_.front());
      queue_.pop_front();
      return job;
    }
    if (wake_->arrived && !refilling_) {
      Refill(lock, stop);
      continue;
    }
    wake_->changed.wait(lock, stop,
                        [this] { return !queue_.empty() || (wake_->arrived && !refilling_); });
  }
}

void MediaChecker::Refill(std::unique_lock<std::mutex>& lock, const std::stop_token& stop) {
  wake_->arrived = false;
  refilling_ = true;
  lock.unlock();
  // More than can be under way, so that a full page always holds something new.
  const size_t page = kQueueLength + options_.workers;
  auto pending = catalog_.PendingMedia(page);
  if (!pending.ok()) {
    LOG_ERROR("pending clips: {}", Message(pending.status()));
    clock_.Sleep(stop, kAskAgainNs);
  }
  lock.lock();
  refilling_ = false;
  if (!pending.ok()) {
    done_meanwhile_.clear();
    wake_->arrived = true;
    return;
  }
  for (MediaJob& job : *pending) {
    if (done_meanwhile_.contains(job.clip_id)) continue;
    if (taken_.insert(job.clip_id).second) queue_.push_back(std::move(job));
  }
  done_meanwhile_.clear();
  // There may be more than one page of them.
  if (!queue_.empty() || pending->size() == page) wake_->arrived = true;
  wake_->changed.notify_all();
}

absl::Status MediaChecker::Check(const MediaJob& job, const std::stop_token& stop) {
  const int64_t begun_ns = clock_.MonotonicNs();
  ASSIGN_OR_RETURN(media::WorkerAnswer answer, Judge(job, stop));
  ASSIGN_OR_RETURN(const std::vector<BlobId> thumbnails, Store(answer.thumbnails));
  answer.verdict.set_thumbnails(static_cast<uint32_t>(thumbnails.size()));
  const absl::Status recorded = catalog_.RecordMedia(job.clip_id, answer.verdict, thumbnails);
  if (!recorded.ok()) {
    for (const BlobId& blob : thumbnails) (void)blobs_.Remove(blob);
    // The clip is gone: so is the question.
    return absl::IsNotFound(recorded) ? absl::OkStatus() : recorded;
  }
  const bool ok = answer.verdict.state() == v1::MediaCheck::STATE_OK;
  const double seconds = static_cast<double>(clock_.MonotonicNs() - begun_ns) / kNanosPerSecond;
  if (!ok) LOG_WARN("clip {}: {}", job.clip_id, answer.verdict.problem());
  if (ok) LOG_DEBUG("clip {} decodes, {:.2f} s", job.clip_id, seconds);
  if (options_.on_checked) options_.on_checked(ok, seconds);
  return absl::OkStatus();
}

absl::StatusOr<media::WorkerAnswer> MediaChecker::Judge(const MediaJob& job,
                                                        const std::stop_token& stop) {
  v1::ClipManifest manifest;
  if (!manifest.ParseFromString(job.manifest)) return Failed("the manifest can't be parsed");
  if (manifest.video_size() != static_cast<int>(job.videos.size())) {
    return Failed("the manifest does not describe every video");
  }
  media::WorkerAnswer whole;
  whole.verdict.set_state(v1::MediaCheck::STATE_OK);
  for (size_t i = 0; i < job.videos.size(); ++i) {
    const v1::VideoTrack& track = manifest.video(static_cast<int>(i));
    const auto video = blobs_.Open(job.videos[i]);
    if (absl::IsNotFound(video.status())) return Failed("the video is missing from the store");
    if (!video.ok()) return video.status();
    auto ran = media::RunWorker(options_.program, video->get(), track,
                                i == 0 ? options_.thumbnails : 0, options_.cpu_ns, stop);
    if (absl::IsAborted(ran.status()) && !MayTryAgain(job.clip_id)) {
      return Failed(fmt::format("{}, {} times: it may need more memory than there is",
                                Message(ran.status()), kMaxKilled));
    }
    ASSIGN_OR_RETURN(media::WorkerAnswer answer, std::move(ran));
    whole.verdict.set_decoded_frames(whole.verdict.decoded_frames() +
                                     answer.verdict.decoded_frames());
    if (i == 0) whole.thumbnails = std::move(answer.thumbnails);
    if (answer.verdict.state() != v1::MediaCheck::STATE_OK) {
      whole.verdict.set_state(v1::MediaCheck::STATE_FAILED);
      whole.verdict.set_problem(job.videos.size() == 1
                                    ? answer.verdict.problem()
                                    : track.camera() + ": " + answer.verdict.problem());
      break;
    }
  }
  return whole;
}

bool MediaChecker::MayTryAgain(const std::string& clip_id) {
  std::lock_guard lock(wake_->mutex);
  return ++killed_[clip_id] < kMaxKilled;
}

absl::StatusOr<std::vector<BlobId>> MediaChecker::Store(
    const std::vector<std::string>& thumbnails) {
  std::vector<BlobId> ids;
  absl::Status status;
  for (const std::string& jpeg : thumbnails) {
    auto writer = blobs_.Create(jpeg.size());
    status = writer.status();
    if (!status.ok()) break;
    ids.push_back((*writer)->id());
    const iovec part{const_cast<char*>(jpeg.data()), jpeg.size()};
    status = (*writer)->WriteAt(0, &part, 1);
    if (status.ok()) status = (*writer)->Sync();
    if (!status.ok()) break;
  }
  if (status.ok()) return ids;
  for (const BlobId& id : ids) (void)blobs_.Remove(id);
  return Annotate(status, "store thumbnails");
}

}  // namespace gleaner::cloud
