#include "edge/clip/open_clips.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/status.h"
#include "fmt/format.h"

namespace gleaner::edge {

OpenClips::OpenClips(size_t cameras, Spool& spool, Clock& clock, RecentSamples& samples,
                     Losses& losses)
    : spool_(spool), clock_(clock), samples_(samples), losses_(losses), ended_(cameras, false) {}

bool OpenClips::Extend(const std::string& rule, int64_t fired_ns) {
  for (auto clip = clips_.begin(); clip != clips_.end(); ++clip) {
    if ((*clip)->rule() != rule) continue;
    const auto extended = (*clip)->Extend(fired_ns);
    if (!extended.ok()) {
      Fail((*clip)->key(), extended.status());
      clips_.erase(clip);
      Changed();
      return true;
    }
    if (*extended) return true;
  }
  return false;
}

void OpenClips::Open(CaptureOptions options,
                     const std::vector<std::vector<StreamPacket>>& pre_rolls) {
  const auto key = spool_.TakeNumber(options.rule.name, options.rule.priority);
  if (!key.ok()) {
    losses_.NoNumber(options.rule.name, key.status());
    return;
  }
  auto clip = Begin(*key, std::move(options), pre_rolls);
  if (!clip.ok()) {
    Fail(*key, clip.status());
    return;
  }
  clips_.push_back(*std::move(clip));
  Changed();
}

absl::StatusOr<std::unique_ptr<Capture>> OpenClips::Begin(
    const ClipKey& key, CaptureOptions options,
    const std::vector<std::vector<StreamPacket>>& pre_rolls) {
  if (clips_.size() >= kMax) {
    return absl::ResourceExhaustedError(
        fmt::format("{} clips are being captured already", clips_.size()));
  }
  ASSIGN_OR_RETURN(auto writer, spool_.NewClip(key));
  LOG_INFO("rule {} fired: clip {}", options.rule.name, ToString(key));
  auto clip =
      std::make_unique<Capture>(std::move(options), key, std::move(writer), clock_.MonotonicNs());
  for (size_t camera = 0; camera < ended_.size(); ++camera) {
    if (ended_[camera]) clip->EndCamera(camera);
  }
  for (size_t camera = 0; camera < pre_rolls.size(); ++camera) {
    for (const StreamPacket& packet : pre_rolls[camera]) {
      RETURN_IF_ERROR(clip->Feed(camera, packet));
    }
  }
  return clip;
}

void OpenClips::Suppress(const std::string& rule, const std::string& why) {
  const auto key = spool_.TakeSuppressed(rule, why);
  if (!key.ok()) losses_.NoNumber(rule, key.status());
}

void OpenClips::Feed(size_t camera, const StreamPacket& packet) {
  const auto ended = std::erase_if(clips_, [&](const auto& clip) {
    const absl::Status status = clip->Feed(camera, packet);
    if (!status.ok()) {
      Fail(clip->key(), status);
    } else if (clip->Done()) {
      Commit(*clip, Capture::Cut::kNot);
    } else {
      return false;
    }
    return true;
  });
  if (ended > 0) Changed();
}

void OpenClips::EndCamera(size_t camera) {
  ended_[camera] = true;
  for (const auto& clip : clips_) clip->EndCamera(camera);
}

void OpenClips::CommitDone(const std::vector<int64_t>& last_arrival_ns) {
  const int64_t now_ns = clock_.MonotonicNs();
  const auto ended = std::erase_if(clips_, [&](const auto& clip) {
    const bool done = clip->DoneWithoutTheSilent(now_ns, last_arrival_ns);
    if (done) Commit(*clip, Capture::Cut::kNot);
    return done;
  });
  if (ended > 0) Changed();
}

bool OpenClips::CommitOne() {
  if (clips_.empty()) return false;
  Commit(*clips_.front(), Capture::Cut::kStopped);
  clips_.erase(clips_.begin());
  Changed();
  return true;
}

void OpenClips::CutAll() {
  uint64_t cut = 0;
  for (const auto& clip : clips_) cut += Commit(*clip, Capture::Cut::kStorageFellBehind);
  if (cut > 0) losses_.ClipsCut(cut, "storage could not follow the cameras");
  clips_.clear();
  Changed();
}

bool OpenClips::Commit(Capture& clip, Capture::Cut cut) {
  const absl::Status status = clip.Commit(samples_.For(clip.start_ns()), cut);
  if (!status.ok()) {
    Fail(clip.key(), status);
    return false;
  }
  LOG_INFO("clip {} is in the spool", ToString(clip.key()));
  losses_.ClipCommitted();
  return true;
}

void OpenClips::Fail(const ClipKey& key, const absl::Status& why) {
  losses_.ClipFailed(key, why);
  if (absl::Status ended = spool_.Fail(key, Message(why)); !ended.ok()) {
    LOG_ERROR("clip {}: the spool can't note that: {}", ToString(key), Message(ended));
  }
}

void OpenClips::Changed() {
  int64_t start_ns = INT64_MAX;
  for (const auto& clip : clips_) start_ns = std::min(start_ns, clip->start_ns());
  samples_.KeepFor(start_ns);
  size_.store(clips_.size(), std::memory_order_relaxed);
}

}  // namespace gleaner::edge
