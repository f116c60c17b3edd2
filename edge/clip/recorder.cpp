#include "edge/clip/recorder.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "common/clip_key.h"
#include "common/log.h"
#include "common/status.h"
#include "edge/clip/capture.h"
#include "edge/clip/evidence.h"
#include "edge/clip/ring.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

// Beyond the pre-roll: how late a firing may come after the frame it speaks of.
constexpr int64_t kRingSlackNs = 2 * kNanosPerSecond;
// Samples are kept this much longer than the pre-roll: a clip starts at a keyframe before it.
constexpr int64_t kHistorySlackNs = 60 * kNanosPerSecond;
// How often open clips look at the clock, for cameras that have fallen silent.
constexpr std::chrono::milliseconds kTick(100);
// How often the recorder gives a sign of life while there is nothing to do.
constexpr std::chrono::seconds kIdle(10);
// How long a camera waits for room in the inbox before packets are lost.
constexpr std::chrono::seconds kMaxWait(2);
// Longer than the longest interval of heartbeats, so that one of them tells of it.
constexpr int64_t kUnnumberedShownNs = 3700 * kNanosPerSecond;
// Each has a block and a fragment a camera in memory.
constexpr size_t kMaxOpenClips = 16;

struct FiringEvent {
  RuleOptions rule;
  bool extends = false;
  v1::Instant fired_at;
  std::vector<std::string> signals;
  std::vector<std::vector<StreamPacket>> rings;  // by camera, as they were at the firing
  std::optional<std::string> paused;             // why, if so
};
struct PacketEvent {
  size_t camera = 0;
  StreamPacket packet;
};
struct EndEvent {
  size_t camera = 0;
};
using Event = std::variant<FiringEvent, PacketEvent, EndEvent>;

}  // namespace

class Recorder::Impl {
 public:
  Impl(RecorderOptions options, Spool& spool, Clock& clock)
      : options_(std::move(options)), spool_(spool), clock_(clock) {
    for (size_t i = 0; i < options_.cameras.size(); ++i) {
      cameras_.push_back(
          {PacketRing(options_.pre_roll_ns + kRingSlackNs, options_.ring_max_bytes)});
    }
    worker_ = std::thread([this] { Work(); });
  }

  void OnFormat(size_t camera, const VideoFormat& format, const std::string& encoder);
  void OnPacket(size_t camera, const Packet& packet);
  void OnSample(const SignalSample& sample);
  void OnFiring(const Firing& firing, const std::vector<std::string>& signals);
  void OnCameraEnd(size_t camera);
  void SetPaused(bool paused, std::string reason) {
    std::lock_guard lock(mutex_);
    paused_ = paused ? std::optional(std::move(reason)) : std::nullopt;
  }
  void SetPolicyVersion(std::string version) {
    std::lock_guard lock(mutex_);
    policy_version_ = std::move(version);
  }
  void Finish();
  uint64_t open_clips() const { return open_clips_.load(std::memory_order_relaxed); }
  std::string problem() const {
    std::lock_guard lock(mutex_);
    const bool told = clock_.MonotonicNs() - unnumbered_ns_ > kUnnumberedShownNs;
    return unnumbered_ == 0 || told ? problem_ : no_number_;
  }
  void SetAlive(std::function<void()> alive) {
    std::lock_guard lock(mutex_);
    alive_ = std::move(alive);
  }
  void SetClipGone(std::function<void(const std::string&, int64_t)> gone) {
    clip_gone_ = std::move(gone);
  }

 private:
  struct CameraState {
    PacketRing ring;
    std::shared_ptr<const StreamInfo> stream;
    int64_t last_arrival_ns = 0;
    bool ended = false;
  };

  // The worker's own thread, from here on.
  void Work();
  void Handle(FiringEvent& firing);
  void Handle(PacketEvent& packet);
  void Handle(EndEvent& end);
  // An extending firing has found no clip.
  void NoClip(const FiringEvent& firing) const {
    // A suppressed activity is one number, as long as it is suppressed.
    if (clip_gone_ && !firing.paused) clip_gone_(firing.rule.name, firing.fired_at.monotonic_ns());
  }
  // Every open clip that is done, or every one.
  void CommitDone(bool stopping);
  void Commit(Capture& clip, bool stopped);
  void Fail(const ClipKey& key, const absl::Status& status);
  // A firing that the spool gave no number: there is no tombstone that could tell of it.
  void NoNumber(const std::string& rule, const absl::Status& status);
  void SetProblem(std::string problem);
  void ClipsChanged();

  const RecorderOptions options_;
  Spool& spool_;
  Clock& clock_;
  std::function<void(const std::string&, int64_t)> clip_gone_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;      // something to do for the worker
  std::condition_variable room_;      // room in the inbox
  std::vector<CameraState> cameras_;  // this and what follows: guarded by mutex_
  std::deque<Event> inbox_;
  uint64_t inbox_bytes_ = 0;  // of packets in it
  bool listening_ = false;    // the worker has open clips or is about to
  bool overflowed_ = false;   // packets were dropped from the inbox
  bool finishing_ = false;
  std::optional<std::string> paused_;  // why
  std::string policy_version_;
  std::string problem_;
  uint64_t unnumbered_ = 0;    // firings without a number
  int64_t unnumbered_ns_ = 0;  // when the last of them came
  std::string no_number_;      // what there is to say of them
  std::function<void()> alive_;

  std::mutex history_mutex_;
  SampleHistory history_;  // guarded by history_mutex_
  uint64_t samples_ = 0;   // guarded by history_mutex_

  // From when on open clips need samples.
  std::atomic<int64_t> history_from_ns_{INT64_MAX};
  std::atomic<uint64_t> open_clips_{0};

  std::vector<std::unique_ptr<Capture>> clips_;  // the worker's
  std::vector<bool> ended_;                      // the worker's
  std::thread worker_;
};

void Recorder::Impl::OnFormat(size_t camera, const VideoFormat& format,
                              const std::string& encoder) {
  auto stream = std::make_shared<const StreamInfo>(StreamInfo{format, encoder});
  std::lock_guard lock(mutex_);
  CameraState& state = cameras_[camera];
  // Older packets that can't stand in one file with the new ones would only shorten a clip.
  if (state.stream != nullptr && !Continues(*state.stream, *stream)) state.ring.Clear();
  state.stream = std::move(stream);
}

void Recorder::Impl::OnPacket(size_t camera, const Packet& packet) {
  const int64_t now_ns = clock_.MonotonicNs();
  bool wake = false;
  {
    std::unique_lock lock(mutex_);
    CameraState& state = cameras_[camera];
    state.last_arrival_ns = now_ns;
    StreamPacket stream_packet{packet, state.stream};
    if (listening_) {
      const bool has_room = room_.wait_for(lock, kMaxWait, [&] {
        return finishing_ || overflowed_ || inbox_bytes_ < options_.ring_max_bytes;
      });
      if (finishing_) return;
      if (!has_room || overflowed_) {
        overflowed_ = true;
      } else {
        inbox_bytes_ += packet.size_bytes;
        inbox_.push_back(PacketEvent{camera, stream_packet});
        wake = true;
      }
    }
    state.ring.Push(std::move(stream_packet));
  }
  if (wake) wake_.notify_one();
}

void Recorder::Impl::OnSample(const SignalSample& sample) {
  std::lock_guard lock(history_mutex_);
  history_.Add(sample);
  if (++samples_ % 256 == 0) {
    history_.Trim(std::min(sample.monotonic_ns - options_.pre_roll_ns - kHistorySlackNs,
                           history_from_ns_.load(std::memory_order_relaxed)));
  }
}

void Recorder::Impl::OnFiring(const Firing& firing, const std::vector<std::string>& signals) {
  FiringEvent event;
  event.rule = *firing.rule;
  event.extends = firing.extends;
  event.fired_at.set_monotonic_ns(firing.monotonic_ns);
  event.fired_at.set_wall_unix_ns(clock_.WallNs() - (clock_.MonotonicNs() - firing.monotonic_ns));
  event.fired_at.set_wall_uncertainty_ns(clock_.WallUncertaintyNs());
  event.signals = signals;
  {
    std::unique_lock lock(mutex_);
    if (finishing_) return;
    event.paused = paused_;
    if (firing.extends && !listening_) {
      lock.unlock();
      return NoClip(event);
    }
    if (!firing.extends && !overflowed_) {
      // The rings as they are now: by the time the worker comes to it they will have moved on. Once
      // packets were lost the clip can only fail, and must not hold on to any.
      for (const CameraState& state : cameras_) {
        event.rings.push_back(state.ring.From(firing.monotonic_ns - firing.rule->pre_ns));
      }
    }
    listening_ = true;
    inbox_.push_back(std::move(event));
  }
  wake_.notify_one();
}

void Recorder::Impl::OnCameraEnd(size_t camera) {
  {
    std::lock_guard lock(mutex_);
    inbox_.push_back(EndEvent{camera});
  }
  wake_.notify_one();
}

void Recorder::Impl::Finish() {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(finishing_, true)) return;
  }
  wake_.notify_one();
  room_.notify_all();
  worker_.join();
}

void Recorder::Impl::Work() {
  ended_.assign(options_.cameras.size(), false);
  for (bool finishing = false; !finishing;) {
    std::deque<Event> events;
    bool overflowed = false;
    std::function<void()> alive;
    {
      std::unique_lock lock(mutex_);
      if (clips_.empty() && inbox_.empty()) listening_ = false;
      auto ready = [this] { return !inbox_.empty() || finishing_; };
      if (clips_.empty()) {
        wake_.wait_for(lock, kIdle, ready);
      } else {
        wake_.wait_for(lock, kTick, ready);
      }
      events.swap(inbox_);
      inbox_bytes_ = 0;
      overflowed = std::exchange(overflowed_, false);
      finishing = finishing_;
      alive = alive_;
    }
    room_.notify_all();
    if (alive) alive();
    for (Event& event : events) {
      std::visit([this](auto& e) { Handle(e); }, event);
      if (alive) alive();
    }
    if (overflowed) {
      for (const auto& clip : clips_) {
        Fail(clip->key(), absl::ResourceExhaustedError("storage could not follow the cameras"));
      }
      clips_.clear();
    }
    CommitDone(finishing);
  }
}

void Recorder::Impl::Handle(FiringEvent& firing) {
  const int64_t fired_ns = firing.fired_at.monotonic_ns();
  for (auto clip = clips_.begin(); clip != clips_.end(); ++clip) {
    if ((*clip)->rule() != firing.rule.name) continue;
    auto extended = (*clip)->Extend(fired_ns);
    if (extended.ok() && *extended) return;
    if (!extended.ok()) {
      Fail((*clip)->key(), extended.status());
      clips_.erase(clip);
      return;  // its next firing hears of it
    }
  }
  if (firing.extends) return NoClip(firing);
  if (firing.paused.has_value()) {
    auto key = spool_.TakeSuppressed(firing.rule.name, *firing.paused);
    if (!key.ok()) NoNumber(firing.rule.name, key.status());
    return;
  }
  const auto key = spool_.TakeNumber(firing.rule.name, firing.rule.priority);
  if (!key.ok()) {
    NoNumber(firing.rule.name, key.status());
    return;
  }
  if (clips_.size() >= kMaxOpenClips) {
    Fail(*key, absl::ResourceExhaustedError(
                   fmt::format("{} clips are being captured already", clips_.size())));
    return;
  }
  auto writer = spool_.NewClip(*key);
  if (!writer.ok()) {
    Fail(*key, writer.status());
    return;
  }
  LOG_INFO("rule {} fired: clip {}", firing.rule.name, ToString(*key));
  CaptureOptions options;
  options.device = options_.device;
  options.site = options_.site;
  options.cameras = options_.cameras;
  {
    std::lock_guard lock(mutex_);
    options.policy_version = policy_version_;
  }
  options.rule = std::move(firing.rule);
  options.signals = std::move(firing.signals);
  options.fired_at = firing.fired_at;
  options.after_max_bytes = options_.ring_max_bytes;
  auto clip =
      std::make_unique<Capture>(std::move(options), *key, *std::move(writer), clock_.MonotonicNs());
  for (size_t camera = 0; camera < firing.rings.size(); ++camera) {
    if (ended_[camera]) clip->EndCamera(camera);
    for (const StreamPacket& packet : firing.rings[camera]) {
      if (absl::Status status = clip->Feed(camera, packet); !status.ok()) {
        Fail(*key, status);
        return;
      }
    }
  }
  clips_.push_back(std::move(clip));
  ClipsChanged();
}

void Recorder::Impl::Handle(PacketEvent& event) {
  for (auto clip = clips_.begin(); clip != clips_.end();) {
    if (absl::Status status = (*clip)->Feed(event.camera, event.packet); !status.ok()) {
      Fail((*clip)->key(), status);
      clip = clips_.erase(clip);
    } else if ((*clip)->Done()) {
      Commit(**clip, /*stopped=*/false);
      clip = clips_.erase(clip);
    } else {
      ++clip;
    }
  }
}

void Recorder::Impl::Handle(EndEvent& end) {
  ended_[end.camera] = true;
  for (const auto& clip : clips_) clip->EndCamera(end.camera);
}

void Recorder::Impl::CommitDone(bool stopping) {
  std::vector<int64_t> last_arrival_ns;
  if (!clips_.empty()) {
    std::lock_guard lock(mutex_);
    for (const CameraState& state : cameras_) last_arrival_ns.push_back(state.last_arrival_ns);
  }
  const int64_t now_ns = clock_.MonotonicNs();
  for (auto clip = clips_.begin(); clip != clips_.end();) {
    const bool done = (*clip)->DoneWithoutTheSilent(now_ns, last_arrival_ns);
    if (done || stopping) {
      Commit(**clip, /*stopped=*/!done);
      clip = clips_.erase(clip);
    } else {
      ++clip;
    }
  }
  ClipsChanged();
}

void Recorder::Impl::Commit(Capture& clip, bool stopped) {
  SampleHistory history;
  {
    std::lock_guard lock(history_mutex_);
    history = history_.Since(clip.start_ns() - kHistorySlackNs);
  }
  if (absl::Status status = clip.Commit(history, stopped); !status.ok()) {
    Fail(clip.key(), status);
  } else {
    LOG_INFO("clip {} committed", ToString(clip.key()));
    SetProblem("");
  }
}

void Recorder::Impl::Fail(const ClipKey& key, const absl::Status& status) {
  LOG_ERROR("clip {} failed: {}", ToString(key), Message(status));
  if (absl::Status ended = spool_.Fail(key, Message(status)); !ended.ok()) {
    LOG_ERROR("clip {}: the spool can't note that: {}", ToString(key), Message(ended));
  }
  SetProblem(fmt::format("clip {} failed: {}", ToString(key), Message(status)));
}

void Recorder::Impl::NoNumber(const std::string& rule, const absl::Status& status) {
  LOG_ERROR("rule {} fired but the spool gives no number: {}", rule, Message(status));
  std::lock_guard lock(mutex_);
  unnumbered_ns_ = clock_.MonotonicNs();
  no_number_ =
      fmt::format("{} firings were lost, the last of rule {}: the spool gives no number: {}",
                  ++unnumbered_, rule, Message(status));
}

void Recorder::Impl::SetProblem(std::string problem) {
  std::lock_guard lock(mutex_);
  problem_ = std::move(problem);
}

void Recorder::Impl::ClipsChanged() {
  int64_t from_ns = INT64_MAX;
  for (const auto& clip : clips_) from_ns = std::min(from_ns, clip->start_ns() - kHistorySlackNs);
  history_from_ns_.store(from_ns, std::memory_order_relaxed);
  open_clips_.store(clips_.size(), std::memory_order_relaxed);
}

Recorder::Recorder(RecorderOptions options, Spool& spool, Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), spool, clock)) {}
Recorder::~Recorder() { impl_->Finish(); }
void Recorder::OnFormat(size_t camera, const VideoFormat& format, const std::string& encoder) {
  impl_->OnFormat(camera, format, encoder);
}
void Recorder::OnPacket(size_t camera, const Packet& packet) { impl_->OnPacket(camera, packet); }
void Recorder::OnSample(const SignalSample& sample) { impl_->OnSample(sample); }
void Recorder::OnFiring(const Firing& firing, const std::vector<std::string>& signals) {
  impl_->OnFiring(firing, signals);
}
void Recorder::SetPaused(bool paused, std::string reason) {
  impl_->SetPaused(paused, std::move(reason));
}
void Recorder::SetPolicyVersion(std::string version) {
  impl_->SetPolicyVersion(std::move(version));
}
void Recorder::OnCameraEnd(size_t camera) { impl_->OnCameraEnd(camera); }
void Recorder::Finish() { impl_->Finish(); }
uint64_t Recorder::open_clips() const { return impl_->open_clips(); }
std::string Recorder::problem() const { return impl_->problem(); }
void Recorder::SetClipGone(std::function<void(const std::string&, int64_t)> gone) {
  impl_->SetClipGone(std::move(gone));
}
void Recorder::SetAlive(std::function<void()> alive) { impl_->SetAlive(std::move(alive)); }

}  // namespace gleaner::edge
