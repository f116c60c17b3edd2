// Looks at every clip that arrives: does its video decode, and is it what the manifest says? Makes
// the thumbnails on the way, and takes out the frames that are worth a look (frame_choice.h), for
// rooms that keep them (checked_frames.h).
//
// This is the only road on which uploaded media is parsed, and the parsing happens in a process of
// its own that can do nothing else (worker/sandbox.h). Here, its answer is checked like any other
// input, thumbnails are stored, and the catalog is told. Order: thumbnails are on stable storage
// before the catalog names them.
//
// A clip whose worker crashes, hangs or lies is recorded as failed and not tried again. Only what
// is not the clip's fault (no program, no memory, a full disk) is tried again, for as long as it
// lasts. Whose fault it is when somebody else kills the worker can't be known: the third time, it
// is the clip's. One whose check is cancelled is recorded as failed too, until the job is tried
// again. Devices take turns, so that the expensive videos of one don't hold up the others'
// (jobs/turns.h); of one device the oldest clip goes first.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/jobs/job_runner.h"
#include "cloud/media/checked_frames.h"
#include "cloud/media/frame_choice.h"
#include "cloud/media/media_checks.h"
#include "cloud/media/worker_answer.h"
#include "cloud/store/object_store.h"
#include "common/clock.h"
#include "common/log_throttle.h"

namespace gleaner::cloud {

class MediaChecker {
 public:
  struct Options {
    // The gleaner-media program.
    std::string program;
    // Clips at once in this process, 1 to 64.
    size_t workers = 1;
    // Processor time for each video of a clip; see RunWorker.
    int64_t cpu_ns = 120 * kNanosPerSecond;
    // 0 to 12 a clip, from its first camera.
    size_t thumbnails = 12;
    // Of each video, where a room keeps frames.
    media::FrameChoice frames;
    // Outlives it; read when a check ends. May be null.
    const std::vector<WithCheck>* with_check = nullptr;
    // Once a clip's verdict is kept; on any thread. May be empty. Not of a check that was
    // cancelled.
    std::function<void(const v1::MediaCheck& verdict, double seconds)> on_checked;
    // A clip of a device's camera came with so many damaged frames (all of them, where none
    // decodes); on any thread. May be empty.
    std::function<absl::Status(const std::string& device, const std::string& camera,
                               uint64_t frames)>
        on_damage;
  };

  // All must outlive it.
  MediaChecker(MediaChecks& checks, ObjectStore& objects, Clock& clock, Options options);

  // What a JobRunner needs to have clips looked at. This must outlive the runner.
  JobKind Kind();

 private:
  absl::Status Check(JobRun& run);
  // What stays where a check ended without a verdict of its own.
  void GiveUp(Sql& sql, const v1::Job& job);
  // The verdict on all of a clip's videos together, and what was taken out of them.
  struct Findings {
    v1::ClipManifest manifest;
    v1::MediaCheck verdict;
    std::vector<std::string> thumbnails;
    std::vector<CheckedVideo> videos;
  };
  bool KeepsFrames() const {
    return options_.with_check != nullptr && !options_.with_check->empty();
  }
  absl::StatusOr<Findings> Judge(const ClipMedia& clip, const std::stop_token& stop);
  absl::StatusOr<media::WorkerAnswer> JudgeVideo(const ObjectKey& key,
                                                 const media::Question& question,
                                                 const std::stop_token& stop);
  // Where a camera's pictures came damaged, its device hears of it.
  void TellOfDamage(const std::string& device, const v1::VideoTrack& track,
                    const v1::MediaCheck& verdict);
  // Adds the key of each object that it makes to `made`, also where it fails.
  absl::Status Store(const ClipMedia& clip, Findings& found, std::vector<ObjectKey>* made);
  absl::Status Record(Sql& sql, std::string_view clip_id, const Findings& found,
                      const std::vector<ObjectKey>& thumbnails);

  MediaChecks& checks_;
  ObjectStore& objects_;
  Clock& clock_;
  const Options options_;
  LogThrottle throttle_{clock_};
};

}  // namespace gleaner::cloud
