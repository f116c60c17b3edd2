#include "edge/clip/recorder.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "edge/clip/capture.h"
#include "edge/clip/losses.h"
#include "edge/clip/open_clips.h"
#include "edge/clip/recent_samples.h"
#include "edge/clip/ring.h"
#include "edge/clip/track.h"

namespace gleaner::edge {
namespace {

// Beyond the pre-roll: how late a firing may come after the frame it speaks of.
constexpr int64_t kRingSlackNs = 2 * kNanosPerSecond;
// How often open clips look at the clock, for cameras that have fallen silent.
constexpr std::chrono::milliseconds kTick(100);
// How often the recorder gives a sign of life while there is nothing to do.
constexpr std::chrono::milliseconds kIdle(10'000);
// How long a camera waits for room in the inbox before packets are lost.
constexpr std::chrono::seconds kMaxWait(2);

}  // namespace

class Recorder::Impl {
 public:
  Impl(RecorderOptions options, Spool& spool, Clock& clock)
      : options_(std::move(options)),
        clock_(clock),
        samples_(options_.pre_roll_ns, options_.units),
        losses_(clock),
        clips_(options_.cameras.size(), spool, clock, samples_, losses_) {
    for (size_t i = 0; i < options_.cameras.size(); ++i) {
      cameras_.push_back({PacketRing(options_.pre_roll_ns + options_.latency_ns + kRingSlackNs,
                                     options_.ring_max_bytes)});
    }
    worker_ = std::thread([this] { Work(); });
  }

  void OnFormat(size_t camera, const VideoFormat& format, const std::string& encoder);
  void OnPacket(size_t camera, const Packet& packet);
  void OnSample(const SignalSample& sample) { samples_.Add(sample); }
  void OnFiring(const Firing& firing, const std::vector<std::string>& signals) {
    if (firing.extends) {
      Extend(firing.rule->name, firing.monotonic_ns);
    } else {
      Open(firing, signals);
    }
  }
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
  uint64_t open_clips() const { return clips_.size(); }
  std::string problem() const { return losses_.Problem(); }
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
    bool had_keyframe = false;
  };

  void Open(const Firing& firing, const std::vector<std::string>& signals);
  void Extend(const std::string& rule, int64_t fired_ns);
  void Work();  // the worker's whole life
  std::vector<int64_t> LastArrivals() const;

  const RecorderOptions options_;
  Clock& clock_;
  std::function<void(const std::string&, int64_t)> clip_gone_;
  RecentSamples samples_;
  Losses losses_;
  OpenClips clips_;  // the worker's

  mutable std::mutex mutex_;
  std::condition_variable wake_;             // something to do for the worker
  std::condition_variable room_;             // room in the inbox
  std::vector<CameraState> cameras_;         // this and what follows: guarded by mutex_
  std::deque<std::function<void()>> inbox_;  // what the worker is to do, in order
  uint64_t inbox_bytes_ = 0;                 // of packets in it
  bool listening_ = false;                   // the worker has open clips or is about to
  bool overflowed_ = false;                  // packets were kept from the inbox
  bool finishing_ = false;
  std::optional<std::string> paused_;  // why
  std::string policy_version_;
  std::function<void()> alive_;

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
    state.had_keyframe = state.had_keyframe || packet.keyframe;
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
        inbox_.push_back([this, camera, stream_packet] { clips_.Feed(camera, stream_packet); });
        wake = true;
      }
    }
    state.ring.Push(std::move(stream_packet));
  }
  if (wake) wake_.notify_one();
}

void Recorder::Impl::Open(const Firing& firing, const std::vector<std::string>& signals) {
  CaptureOptions clip;
  clip.device = options_.device;
  clip.site = options_.site;
  clip.cameras = options_.cameras;
  clip.rule = *firing.rule;
  clip.signals = signals;
  clip.latency_ns = firing.latency_ns;
  clip.fired_at.set_monotonic_ns(firing.monotonic_ns);
  clip.fired_at.set_wall_unix_ns(clock_.WallNs() - (clock_.MonotonicNs() - firing.monotonic_ns));
  clip.fired_at.set_wall_uncertainty_ns(clock_.WallUncertaintyNs());
  clip.after_max_bytes = options_.ring_max_bytes;
  {
    std::lock_guard lock(mutex_);
    if (finishing_) return;
    clip.policy_version = policy_version_;
    for (const CameraState& state : cameras_) clip.had_keyframe.push_back(state.had_keyframe);
    // The rings as they are now: by the time the worker comes to it they will have moved on. Once
    // packets were lost the clip can only fail, and must not hold on to any.
    std::vector<std::vector<StreamPacket>> pre_rolls;
    if (!overflowed_) {
      for (const CameraState& state : cameras_) {
        pre_rolls.push_back(state.ring.From(firing.monotonic_ns - firing.rule->pre_ns));
      }
    }
    listening_ = true;
    inbox_.push_back([this, clip = std::move(clip), pre_rolls = std::move(pre_rolls),
                      paused = paused_]() mutable {
      if (clips_.Extend(clip.rule.name, clip.fired_at.monotonic_ns())) return;
      if (paused.has_value()) {
        clips_.Suppress(clip.rule.name, *paused);
      } else {
        clips_.Open(std::move(clip), pre_rolls);
      }
    });
  }
  wake_.notify_one();
}

void Recorder::Impl::Extend(const std::string& rule, int64_t fired_ns) {
  std::unique_lock lock(mutex_);
  if (finishing_) return;
  // A suppressed activity is one number, as long as it is suppressed: its rule hears nothing.
  auto gone = [this, rule, fired_ns, paused = paused_.has_value()] {
    if (clip_gone_ && !paused) clip_gone_(rule, fired_ns);
  };
  if (listening_) {
    inbox_.push_back([this, rule, fired_ns, gone] {
      if (!clips_.Extend(rule, fired_ns)) gone();
    });
    lock.unlock();
    wake_.notify_one();
  } else {
    lock.unlock();
    gone();
  }
}

void Recorder::Impl::OnCameraEnd(size_t camera) {
  {
    std::lock_guard lock(mutex_);
    inbox_.push_back([this, camera] { clips_.EndCamera(camera); });
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
  std::function<void()> alive = [] {};
  for (bool finishing = false; !finishing;) {
    std::deque<std::function<void()>> tasks;
    bool overflowed = false;
    {
      std::unique_lock lock(mutex_);
      if (clips_.empty() && inbox_.empty()) listening_ = false;
      wake_.wait_for(lock, clips_.empty() ? kIdle : kTick,
                     [this] { return !inbox_.empty() || finishing_; });
      tasks.swap(inbox_);
      inbox_bytes_ = 0;
      overflowed = std::exchange(overflowed_, false);
      finishing = finishing_;
      if (alive_) alive = alive_;
    }
    room_.notify_all();
    alive();
    for (const auto& task : tasks) {
      task();
      alive();
    }
    if (overflowed) clips_.CutAll();
    clips_.CommitDone(LastArrivals());
  }
  while (clips_.CommitOne()) alive();
}

std::vector<int64_t> Recorder::Impl::LastArrivals() const {
  std::vector<int64_t> arrivals_ns;
  std::lock_guard lock(mutex_);
  for (const CameraState& state : cameras_) arrivals_ns.push_back(state.last_arrival_ns);
  return arrivals_ns;
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
