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

constexpr int kMaxKilled = 3;
constexpr int64_t kAskAgainNs = 5 * kNanosPerSecond;
constexpr uint64_t kBackoffSeed = 0x6d65646961;

using media::Failed;
using v1::MediaCheck;

// Of several videos the worst is the clip's: one that failed, before one that is a little damaged.
int Badness(const MediaCheck& check) {
  if (check.state() != MediaCheck::STATE_OK) return 2;
  return check.reason() != MediaCheck::REASON_UNSPECIFIED ? 1 : 0;
}

}  // namespace

MediaChecker::MediaChecker(MediaChecks& checks, BlobStore& blobs, Clock& clock, Options options)
    : checks_(checks),
      blobs_(blobs),
      clock_(clock),
      options_(std::move(options)),
      wake_(std::make_shared<Wake>(options_.workers)),
      backoff_(kNanosPerSecond, 60 * kNanosPerSecond, kBackoffSeed) {}

std::function<void(const std::string& device)> MediaChecker::Waker() const {
  return [wake = wake_](const std::string& device) {
    {
      std::lock_guard lock(wake->mutex);
      wake->turns.Add(device);
    }
    wake->changed.notify_one();
  };
}

MediaChecker::~MediaChecker() = default;

void MediaChecker::Run(const std::stop_token& stop) {
  AskWhoWaits(stop);
  std::vector<std::jthread> workers;
  for (size_t i = 0; i < options_.workers; ++i) workers.emplace_back([&] { Work(stop); });
}

void MediaChecker::AskWhoWaits(const std::stop_token& stop) {
  auto devices = checks_.DevicesWithPending();
  while (!devices.ok() && !stop.stop_requested()) {
    LOG_ERROR("pending clips: {}", Message(devices.status()));
    clock_.Sleep(stop, kAskAgainNs);
    devices = checks_.DevicesWithPending();
  }
  if (!devices.ok()) return;
  std::lock_guard lock(wake_->mutex);
  for (const std::string& device : *devices) wake_->turns.Add(device);
}

void MediaChecker::Work(const std::stop_token& stop) {
  while (const auto job = NextJob(stop)) {
    const int64_t begun_ns = clock_.MonotonicNs();
    const absl::Status status = Check(*job, stop);
    const int64_t used_ns = clock_.MonotonicNs() - begun_ns;
    int64_t wait_ns = 0;
    {
      std::lock_guard lock(wake_->mutex);
      taken_.erase(job->clip_id);
      if (status.ok()) {
        killed_.erase(job->clip_id);
        if (asking_) done_meanwhile_.insert(job->clip_id);
        backoff_.Reset();
      } else if (!stop.stop_requested()) {
        wait_ns = backoff_.NextNs();
        wake_->turns.Add(job->device);  // the clip is still pending
      }
      wake_->turns.Done(job->device, used_ns);
    }
    wake_->changed.notify_all();
    if (wait_ns > 0) {
      LOG_ERROR("clip {} can't be checked now, after {:.1f} s: {}", job->clip_id,
                static_cast<double>(used_ns) / kNanosPerSecond, Message(status));
      clock_.Sleep(stop, wait_ns);
    }
  }
}

std::optional<MediaJob> MediaChecker::NextJob(const std::stop_token& stop) {
  std::unique_lock lock(wake_->mutex);
  for (;;) {
    wake_->changed.wait(lock, stop, [this] { return !asking_ && wake_->turns.ready(); });
    if (stop.stop_requested()) return std::nullopt;
    const std::string device = *wake_->turns.Next();
    asking_ = true;
    auto job = NextOf(device, lock, stop);
    asking_ = false;
    done_meanwhile_.clear();
    if (!job) wake_->turns.Done(device, 0);
    wake_->changed.notify_all();
    if (job) return job;
  }
}

std::optional<MediaJob> MediaChecker::NextOf(const std::string& device,
                                             std::unique_lock<std::mutex>& lock,
                                             const std::stop_token& stop) {
  lock.unlock();
  // More than can be under way, so that a full page always holds something new.
  const size_t page = options_.workers + 1;
  auto pending = checks_.Pending(device, page);
  if (!pending.ok()) {
    LOG_ERROR("pending clips of {}: {}", device, Message(pending.status()));
    clock_.Sleep(stop, kAskAgainNs);
  }
  lock.lock();
  if (!pending.ok() || pending->size() == page) wake_->turns.Add(device);
  if (!pending.ok()) return std::nullopt;
  for (MediaJob& job : *pending) {
    if (done_meanwhile_.contains(job.clip_id) || !taken_.insert(job.clip_id).second) continue;
    wake_->turns.Add(device);  // there may be another
    return std::move(job);
  }
  return std::nullopt;
}

absl::Status MediaChecker::Check(const MediaJob& job, const std::stop_token& stop) {
  const int64_t begun_ns = clock_.MonotonicNs();
  ASSIGN_OR_RETURN(media::WorkerAnswer answer, Judge(job, stop));
  ASSIGN_OR_RETURN(const std::vector<BlobId> thumbnails, Store(answer.thumbnails));
  answer.verdict.set_thumbnails(static_cast<uint32_t>(thumbnails.size()));
  const absl::Status recorded = checks_.Record(job.clip_id, answer.verdict, thumbnails);
  if (!recorded.ok()) {
    for (const BlobId& blob : thumbnails) (void)blobs_.Remove(blob);
    // The clip is gone: so is the question.
    return absl::IsNotFound(recorded) ? absl::OkStatus() : recorded;
  }
  const double seconds = static_cast<double>(clock_.MonotonicNs() - begun_ns) / kNanosPerSecond;
  if (Badness(answer.verdict) > 0) {
    LOG_WARN("clip {}: {}", job.clip_id, answer.verdict.problem());
  } else {
    LOG_DEBUG("clip {} decodes, {:.2f} s", job.clip_id, seconds);
  }
  if (options_.on_checked) options_.on_checked(answer.verdict, seconds);
  return absl::OkStatus();
}

absl::StatusOr<media::WorkerAnswer> MediaChecker::Judge(const MediaJob& job,
                                                        const std::stop_token& stop) {
  v1::ClipManifest manifest;
  if (!manifest.ParseFromString(job.manifest)) {
    return Failed(MediaCheck::REASON_MISMATCH, "the manifest can't be parsed");
  }
  if (manifest.video_size() != static_cast<int>(job.videos.size())) {
    return Failed(MediaCheck::REASON_MISMATCH, "the manifest does not describe every video");
  }
  media::WorkerAnswer whole;
  MediaCheck& verdict = whole.verdict;
  verdict.set_state(MediaCheck::STATE_OK);
  for (size_t i = 0; i < job.videos.size(); ++i) {
    const v1::VideoTrack& track = manifest.video(static_cast<int>(i));
    ASSIGN_OR_RETURN(media::WorkerAnswer answer,
                     JudgeVideo(job, i, track, i == 0 ? options_.thumbnails : 0, stop));
    verdict.set_decoded_frames(verdict.decoded_frames() + answer.verdict.decoded_frames());
    verdict.set_damaged_frames(verdict.damaged_frames() + answer.verdict.damaged_frames());
    if (i == 0) whole.thumbnails = std::move(answer.thumbnails);
    TellOfDamage(manifest.device(), track, answer.verdict);
    if (Badness(answer.verdict) > Badness(verdict)) {
      verdict.set_state(answer.verdict.state());
      verdict.set_reason(answer.verdict.reason());
      verdict.set_problem(job.videos.size() == 1
                              ? answer.verdict.problem()
                              : track.camera() + ": " + answer.verdict.problem());
    }
  }
  return whole;
}

absl::StatusOr<media::WorkerAnswer> MediaChecker::JudgeVideo(const MediaJob& job, size_t index,
                                                             const v1::VideoTrack& track,
                                                             size_t thumbnails,
                                                             const std::stop_token& stop) {
  const auto video = blobs_.Open(job.videos[index]);
  if (absl::IsNotFound(video.status())) {
    return Failed(MediaCheck::REASON_UNREADABLE, "the video is missing from the store");
  }
  if (!video.ok()) return video.status();
  auto ran =
      media::RunWorker(options_.program, video->get(), track, thumbnails, options_.cpu_ns, stop);
  if (absl::IsAborted(ran.status()) && !MayTryAgain(job.clip_id)) {
    return Failed(MediaCheck::REASON_WORKER_DIED,
                  fmt::format("{}, {} times: it may need more memory than there is",
                              Message(ran.status()), kMaxKilled));
  }
  return ran;
}

void MediaChecker::TellOfDamage(const std::string& device, const v1::VideoTrack& track,
                                const MediaCheck& verdict) {
  const bool none = verdict.reason() == MediaCheck::REASON_UNDECODABLE;
  if (!none && verdict.damaged_frames() == 0) return;
  if (!options_.on_damage) return;
  const absl::Status told = options_.on_damage(
      device, track.camera(), none ? track.frame_count() : verdict.damaged_frames());
  // A notice is no record: the verdict is, and it stands with the clip.
  if (!told.ok()) LOG_WARN("device {} isn't told of damage: {}", device, Message(told));
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
