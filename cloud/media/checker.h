// Looks at every clip that arrives: does its video decode, and is it what the manifest says? Makes
// the thumbnails on the way.
//
// This is the only road on which uploaded media is parsed, and the parsing happens in a process of
// its own that can do nothing else (worker/sandbox.h). Here, its answer is checked like any other
// input, thumbnails are stored, and the catalogue is told. Order: thumbnails are on stable storage
// before the catalogue names them.
//
// A clip whose worker crashes, hangs or lies is recorded as failed and not tried again. Only what
// is not the clip's fault (no program, no memory, a full disk) is tried again, after a wait that
// grows to a minute, for all clips together. In which order devices are served: turns.h; of one
// device the oldest clip first. Whose fault it is when somebody else kills the worker
// can't be known: the third time, it is the clip's.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "cloud/media/media_checks.h"
#include "cloud/media/turns.h"
#include "cloud/media/worker_answer.h"
#include "cloud/store/blob_store.h"
#include "common/backoff.h"
#include "common/clock.h"

namespace gleaner::cloud {

class MediaChecker {
 public:
  struct Options {
    // The gleaner-media program.
    std::string program;
    // Clips at once, 1 to 64.
    size_t workers = 1;
    // Processor time for each video of a clip; see RunWorker.
    int64_t cpu_ns = 120 * kNanosPerSecond;
    // 0 to 12 a clip, from its first camera.
    size_t thumbnails = 12;
    // After each clip; on any thread. May be empty.
    std::function<void(const v1::MediaCheck& verdict, double seconds)> on_checked;
    // A clip of a device's camera came with so many damaged frames (all of them, where none
    // decodes); on any thread. May be empty.
    std::function<absl::Status(const std::string& device, const std::string& camera,
                               uint64_t frames)>
        on_damage;
  };

  // All must outlive it.
  MediaChecker(MediaChecks& checks, BlobStore& blobs, Clock& clock, Options options);
  ~MediaChecker();

  // To be called with the device of each new clip, on any thread; may outlive this object.
  std::function<void(const std::string& device)> Waker() const;

  // Works until `stop`: first what is pending, then what arrives. Call once.
  void Run(const std::stop_token& stop);

 private:
  // Shared with wakers, which may outlive this object.
  struct Wake {
    explicit Wake(size_t workers) : turns(workers) {}
    std::mutex mutex;
    std::condition_variable_any changed;
    Turns turns;
  };

  void Work(const std::stop_token& stop);
  // Everything that waits at the start.
  void AskWhoWaits(const std::stop_token& stop);
  // The next clip that nobody works on, whose device's turn has begun; empty at the stop.
  std::optional<MediaJob> NextJob(const std::stop_token& stop);
  // The oldest clip of a device that nobody works on.
  std::optional<MediaJob> NextOf(const std::string& device, std::unique_lock<std::mutex>& lock,
                                 const std::stop_token& stop);
  // OK when the clip is done with, one way or the other.
  absl::Status Check(const MediaJob& job, const std::stop_token& stop);
  // The verdict on all of a clip's videos together.
  absl::StatusOr<media::WorkerAnswer> Judge(const MediaJob& job, const std::stop_token& stop);
  absl::StatusOr<media::WorkerAnswer> JudgeVideo(const MediaJob& job, size_t index,
                                                 const v1::VideoTrack& track, size_t thumbnails,
                                                 const std::stop_token& stop);
  // Where a camera's pictures came damaged, its device hears of it.
  void TellOfDamage(const std::string& device, const v1::VideoTrack& track,
                    const v1::MediaCheck& verdict);
  // Counts a worker that was killed from outside; true if the clip may be tried again.
  bool MayTryAgain(const std::string& clip_id);
  absl::StatusOr<std::vector<BlobId>> Store(const std::vector<std::string>& thumbnails);

  MediaChecks& checks_;
  BlobStore& blobs_;
  Clock& clock_;
  const Options options_;
  const std::shared_ptr<Wake> wake_;
  // The rest under wake_->mutex.
  std::set<std::string> taken_;  // ids being worked on
  bool asking_ = false;          // one at a time asks the catalogue for a clip
  // Done with while the catalogue was being asked: its answer may still name them as pending.
  std::set<std::string> done_meanwhile_;
  std::map<std::string, int> killed_;  // how often, by clip
  Backoff backoff_;
};

}  // namespace gleaner::cloud
