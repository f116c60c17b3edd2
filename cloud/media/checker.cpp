#include "cloud/media/checker.h"

#include <fmt/format.h>

#include <vector>

#include "cloud/media/worker_process.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

using media::Failed;
using v1::MediaCheck;

// Of several videos the worst is the clip's: one that failed, before one that is a little damaged.
int Badness(const MediaCheck& check) {
  if (check.state() != MediaCheck::STATE_OK) return 2;
  return check.reason() != MediaCheck::REASON_UNSPECIFIED ? 1 : 0;
}

// On a clip whose check was given up.
MediaCheck VerdictWithout(const v1::Job& job) {
  if (job.state() == v1::Job::STATE_CANCELLED) {
    return Failed(MediaCheck::REASON_CANCELLED,
                  fmt::format("nobody has looked; `gleaner jobs retry {}` checks it after all",
                              job.number()))
        .verdict;
  }
  return Failed(MediaCheck::REASON_WORKER_DIED,
                fmt::format("{}, {} times: it may need more memory than there is", job.error(),
                            job.attempts()))
      .verdict;
}

}  // namespace

MediaChecker::MediaChecker(MediaChecks& checks, ObjectStore& objects, Clock& clock, Options options)
    : checks_(checks), objects_(objects), clock_(clock), options_(std::move(options)) {}

JobKind MediaChecker::Kind() {
  return {.name = std::string(kMediaCheck),
          .at_once = options_.workers,
          .run = [this](JobRun& run) { return Check(run); },
          .on_given_up = {
              .write = [this](Sql& sql, const v1::Job& job) { GiveUp(sql, job); },
              .kept =
                  [this](const v1::Job& job) {
                    const bool failed = job.state() == v1::Job::STATE_FAILED;
                    if (failed && options_.on_checked) options_.on_checked(VerdictWithout(job), 0);
                  },
          }};
}

absl::Status MediaChecker::Check(JobRun& run) {
  const std::string& clip_id = run.job().subject();
  const int64_t begun_ns = clock_.MonotonicNs();
  const auto clip = checks_.Find(clip_id);
  if (absl::IsNotFound(clip.status())) return run.Finish("the clip is gone");
  if (!clip.ok()) return clip.status();
  auto found = Judge(*clip, run.stop());
  if (!found.ok()) {
    // All but a worker that was killed is trouble of the machine, whatever it is.
    return absl::IsAborted(found.status()) ? found.status()
                                           : absl::UnavailableError(found.status().message());
  }
  MediaCheck& verdict = found->verdict;
  verdict.set_thumbnails(static_cast<uint32_t>(found->thumbnails.size()));
  std::vector<ObjectKey> made;
  const absl::Status stored = Store(*clip, *found, &made);
  const auto forget = [&] {
    for (const ObjectKey& key : made) (void)objects_.Remove(key);
  };
  if (!stored.ok()) {
    forget();
    return absl::UnavailableError(stored.message());
  }
  const std::vector<ObjectKey> thumbnails(
      made.begin(), made.begin() + static_cast<ptrdiff_t>(found->thumbnails.size()));
  const absl::Status recorded = run.Finish(
      verdict.problem(), [&](Sql& sql) { return Record(sql, clip_id, *found, thumbnails); });
  if (!recorded.ok()) {
    forget();
    return absl::IsNotFound(recorded) ? run.Finish("the clip is gone") : recorded;
  }
  const double seconds = static_cast<double>(clock_.MonotonicNs() - begun_ns) / kNanosPerSecond;
  if (Badness(verdict) > 0) {
    // Each verdict stands with its clip; here it is a device's that are many.
    if (const auto more =
            throttle_.Admit(fmt::format("clips of {} with a fault", run.job().share()))) {
      LOG_WARN("clip {}: {}{}", clip_id, verdict.problem(), *more);
    }
  } else {
    LOG_DEBUG("clip {} decodes, {:.2f} s", clip_id, seconds);
  }
  if (options_.on_checked) options_.on_checked(verdict, seconds);
  return absl::OkStatus();
}

void MediaChecker::GiveUp(Sql& sql, const v1::Job& job) {
  // What an earlier check found stays true when another look is cancelled.
  if (job.state() == v1::Job::STATE_CANCELLED && WasChecked(sql, job.subject())) return;
  // A clip that is gone needs no verdict.
  (void)Record(sql, job.subject(), {.verdict = VerdictWithout(job)}, {});
}

absl::StatusOr<MediaChecker::Findings> MediaChecker::Judge(const ClipMedia& clip,
                                                           const std::stop_token& stop) {
  Findings whole;
  v1::ClipManifest& manifest = whole.manifest;
  if (!manifest.ParseFromString(clip.manifest)) {
    whole.verdict = Failed(MediaCheck::REASON_MISMATCH, "the manifest can't be parsed").verdict;
    return whole;
  }
  if (manifest.video_size() != static_cast<int>(clip.videos.size())) {
    whole.verdict =
        Failed(MediaCheck::REASON_MISMATCH, "the manifest does not describe every video").verdict;
    return whole;
  }
  MediaCheck& verdict = whole.verdict;
  verdict.set_state(MediaCheck::STATE_OK);
  for (size_t i = 0; i < clip.videos.size(); ++i) {
    const v1::VideoTrack& track = manifest.video(static_cast<int>(i));
    media::Question question{.track = track, .thumbnails = i == 0 ? options_.thumbnails : 0};
    if (KeepsFrames()) question.frames = media::PlanFrames(manifest, i, options_.frames);
    ASSIGN_OR_RETURN(media::WorkerAnswer answer, JudgeVideo(clip.videos[i], question, stop));
    verdict.set_decoded_frames(verdict.decoded_frames() + answer.verdict.decoded_frames());
    verdict.set_damaged_frames(verdict.damaged_frames() + answer.verdict.damaged_frames());
    if (i == 0) whole.thumbnails = std::move(answer.thumbnails);
    if (!answer.frames.empty()) {
      whole.videos.push_back({.position = i, .frames = std::move(answer.frames), .thumbnails = {}});
    }
    // What came damaged long ago says nothing of the camera now.
    if (!clip.checked) TellOfDamage(manifest.device(), track, answer.verdict);
    if (Badness(answer.verdict) > Badness(verdict)) {
      verdict.set_state(answer.verdict.state());
      verdict.set_reason(answer.verdict.reason());
      verdict.set_problem(clip.videos.size() == 1
                              ? answer.verdict.problem()
                              : track.camera() + ": " + answer.verdict.problem());
    }
  }
  return whole;
}

absl::StatusOr<media::WorkerAnswer> MediaChecker::JudgeVideo(const ObjectKey& key,
                                                             const media::Question& question,
                                                             const std::stop_token& stop) {
  const auto video = objects_.OpenCopy(key);
  if (absl::IsNotFound(video.status())) {
    return Failed(MediaCheck::REASON_UNREADABLE, "the video is missing from the store");
  }
  if (!video.ok()) return video.status();
  return media::RunWorker(options_.program, video->get(), question, options_.cpu_ns, stop);
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

absl::Status MediaChecker::Store(const ClipMedia& clip, Findings& found,
                                 std::vector<ObjectKey>* made) {
  const auto put = [&](std::string part, std::string_view type,
                       std::string_view bytes) -> absl::Status {
    auto key = objects_.Put(
        {.device = clip.device, .clip = clip.key, .part = std::move(part), .content_type = type},
        bytes);
    if (!key.ok()) return Annotate(key.status(), "store thumbnails");
    made->push_back(*std::move(key));
    return absl::OkStatus();
  };
  for (const std::string& jpeg : found.thumbnails) {
    RETURN_IF_ERROR(put(fmt::format("thumbnail-{}", made->size()), "image/jpeg", jpeg));
  }
  for (CheckedVideo& video : found.videos) {
    // Dozens that are made, read and removed together: one object, one sync.
    std::string all;
    for (const media::ChosenFrame& frame : video.frames) all += frame.thumbnail;
    RETURN_IF_ERROR(put(fmt::format("frames-{}", video.position), "application/octet-stream", all));
    video.thumbnails = made->back();
  }
  return absl::OkStatus();
}

absl::Status MediaChecker::Record(Sql& sql, std::string_view clip_id, const Findings& found,
                                  const std::vector<ObjectKey>& thumbnails) {
  RETURN_IF_ERROR(RecordMediaCheck(sql, clip_id, found.verdict, thumbnails));
  if (!KeepsFrames()) return absl::OkStatus();
  const CheckedClip checked{.id = clip_id, .manifest = found.manifest, .videos = found.videos};
  for (const WithCheck& write : *options_.with_check) write(sql, checked);
  return absl::OkStatus();
}

}  // namespace gleaner::cloud
