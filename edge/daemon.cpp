#include "edge/daemon.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/log.h"
#include "common/status.h"
#include "common/version.h"
#include "edge/camera_pipeline.h"
#include "edge/clip/recorder.h"
#include "edge/health/checked_clock.h"
#include "edge/health/heartbeat.h"
#include "edge/health/watchdog.h"
#include "edge/shorten.h"
#include "edge/spool/spool.h"
#include "edge/trigger/detector/detector.h"
#include "edge/trigger/engine.h"
#include "edge/upload/ledger_reporter.h"
#include "edge/upload/link.h"
#include "edge/upload/uploader.h"

namespace gleaner::edge {
namespace {

// A camera that stands still this long, or as long as its stall timeout allows, has the watchdog
// end the daemon; reconnecting counts as moving.
constexpr int64_t kCameraLimitNs = 120 * kNanosPerSecond;
constexpr int64_t kLoopLimitNs = 90 * kNanosPerSecond;
constexpr int64_t kDrainPollNs = 50 * kNanosPerMilli;
// Of a rule, in Hello: 64 rules have to fit into 64 KiB.
constexpr size_t kMaxToldExpression = 512;

// Samples go to the recorder first, as evidence, and then to the rules that may fire on them.
class SampleFanout : public SampleSink {
 public:
  void Connect(Recorder* recorder, TriggerEngine* engine) {
    recorder_ = recorder;
    engine_ = engine;
  }
  void OnSample(const SignalSample& sample) override {
    recorder_->OnSample(sample);
    engine_->OnSample(sample);
  }

 private:
  Recorder* recorder_ = nullptr;
  TriggerEngine* engine_ = nullptr;
};

// One camera with all that hangs on it.
struct Watch {
  std::unique_ptr<CameraPipeline> pipeline;
  std::unique_ptr<Camera> camera;
};

std::string Platform() {
  utsname name{};
  ::uname(&name);
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

v1::CameraHealth::State HealthState(CameraState state) {
  switch (state) {
    case CameraState::kStreaming:
      return v1::CameraHealth::STATE_STREAMING;
    case CameraState::kEnded:
      return v1::CameraHealth::STATE_ENDED;
    case CameraState::kOpening:
    case CameraState::kReconnecting:
      break;
  }
  return v1::CameraHealth::STATE_RECONNECTING;
}

// Ends the process if shutting down takes longer than it may: a hung driver must not keep a device
// from rebooting.
class ShutdownDeadline {
 public:
  ShutdownDeadline(Clock& clock, std::stop_token stop)
      : thread_([&clock, stop](std::stop_token done) {
          std::mutex mutex;
          std::condition_variable_any woken;
          std::stop_callback wake(stop, [&] {
            std::lock_guard lock(mutex);
            woken.notify_all();
          });
          {
            std::unique_lock lock(mutex);
            woken.wait(lock, done, [&] { return stop.stop_requested(); });
          }
          if (done.stop_requested()) return;
          if (!clock.Sleep(done, kShutdownDeadlineNs)) return;
          LOG_ERROR(
              "shutting down took longer than {} s: ending at once; what was not committed is "
              "failed at the next start",
              kShutdownDeadlineNs / kNanosPerSecond);
          ::_exit(1);
        }) {}

 private:
  std::jthread thread_;
};

class Daemon {
 public:
  Daemon(const DaemonOptions& options, Clock& clock)
      : options_(options), config_(options.config), clock_(clock) {}

  absl::Status Open() {
    ASSIGN_OR_RETURN(link_, Link::Open(config_.link, clock_));
    ASSIGN_OR_RETURN(spool_, Spool::Open(config_.spool, clock_, KernelBootId()));
    RETURN_IF_ERROR(OpenTriggers());
    OpenNetwork();
    return absl::OkStatus();
  }

  void Run(std::stop_token stop) {
    ShutdownDeadline deadline(clock_, stop);
    const std::unique_ptr<Notifier> notifier = SystemdNotifier();
    Watchdog watchdog(*notifier, SystemdWatchdogNs(), clock_);
    StartLoops(watchdog);
    // From the source downwards: cameras, recorder, then what talks to the cloud.
    {
      std::vector<std::jthread> cameras = StartCameras(watchdog);
      std::jthread watcher([&](std::stop_token ended) { watchdog.Run(ended); });
      LOG_INFO("watching: {} cameras, {} rules, as {}", watches_.size(), engine_->rules().size(),
               config_.device);
      watchdog.Ready();
      watchdog.Status(fmt::format("watching {} cameras", watches_.size()));
      WaitForTheEnd(stop);
    }
    recorder_->Finish();
    if (options_.until_drained && !stop.stop_requested()) Drain(stop);
    LOG_INFO("stopping");
    loops_.clear();
  }

 private:
  absl::Status OpenTriggers() {
    ASSIGN_OR_RETURN(engine_,
                     TriggerEngine::Create(
                         config_.rules, SignalsOf(config_.cameras), [this](const Firing& firing) {
                           recorder_->OnFiring(firing, engine_->SignalsOf(firing.rule->name));
                         }));
    std::set<std::string> read;
    RecorderOptions options{.device = config_.device,
                            .site = config_.site,
                            .cameras = {},
                            .pre_roll_ns = 0,
                            .ring_max_bytes = config_.ring_max_bytes};
    for (const RuleOptions& rule : engine_->rules()) {
      for (std::string& signal : engine_->SignalsOf(rule.name)) read.insert(std::move(signal));
      options.pre_roll_ns = std::max(options.pre_roll_ns, rule.pre_ns);
    }
    for (const CameraOptions& camera : config_.cameras) options.cameras.push_back(camera.name);
    recorder_ = std::make_unique<Recorder>(options, *spool_, clock_);
    recorder_->SetClipGone([this](const std::string& rule, int64_t monotonic_ns) {
      engine_->OnClipGone(rule, monotonic_ns);
    });
    samples_.Connect(recorder_.get(), engine_.get());

    for (size_t i = 0; i < config_.cameras.size(); ++i) {
      const CameraOptions& camera = config_.cameras[i];
      std::vector<std::unique_ptr<Detector>> detectors;
      for (std::string_view name : DetectorNames()) {
        // A detector runs only where some rule reads its signal.
        if (!read.contains(SignalName(camera.name, name))) continue;
        ASSIGN_OR_RETURN(auto detector, MakeDetector(name, camera.name, samples_));
        detectors.push_back(std::move(detector));
      }
      Watch watch;
      watch.pipeline = std::make_unique<CameraPipeline>(i, camera.name, std::move(detectors),
                                                        config_.encoders, *recorder_, clock_);
      watch.camera = std::make_unique<Camera>(camera, clock_, *watch.pipeline, &logins_);
      watches_.push_back(std::move(watch));
    }
    return absl::OkStatus();
  }

  void OpenNetwork() {
    ledger_ = std::make_unique<LedgerReporter>(LedgerReporterOptions{}, *spool_, *link_, clock_);
    uploader_ =
        std::make_unique<Uploader>(config_.upload, *spool_, *link_, clock_,
                                   UploaderHooks{.alive = [this] { upload_progress_->Made(); },
                                                 .ledger_changed = [this] { ledger_->Poke(); }});
    spool_->OnChange([this] {
      uploader_->Poke();
      ledger_->Poke();
    });
    heartbeat_ = std::make_unique<Heartbeat>(
        config_.heartbeat,
        HeartbeatSources{.hello = [this] { return Hello(); },
                         .spool = [this] { return spool_->stats(); },
                         .upload = [this] { return uploader_->stats(); },
                         .cameras = [this] { return Cameras(); },
                         .problem = [this] { return Problem(); },
                         .server_time =
                             [this](int64_t server_unix_ns, int64_t sent_ns, int64_t received_ns) {
                               clock_.Check(server_unix_ns, sent_ns, received_ns);
                             }},
        *link_, clock_, [this](const v1::Policy& policy) { Apply(policy); });
  }

  // --- threads

  void StartLoops(Watchdog& watchdog) {
    recorder_->SetAlive(
        [progress = watchdog.Register("recorder", kLoopLimitNs)] { progress->Made(); });
    upload_progress_ = watchdog.Register("upload", kLoopLimitNs);
    loops_.emplace_back([this](std::stop_token stop) { uploader_->Run(stop); });
    loops_.emplace_back([this](std::stop_token stop) { ledger_->Run(stop); });
    loops_.emplace_back([this](std::stop_token stop) { heartbeat_->Run(stop); });
  }

  std::vector<std::jthread> StartCameras(Watchdog& watchdog) {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < watches_.size(); ++i) {
      const CameraOptions& camera = config_.cameras[i];
      watches_[i].pipeline->SetProgress(watchdog.Register(
          "camera " + camera.name, std::max(kCameraLimitNs, camera.MaxSilenceNs())));
      threads.emplace_back([this, i](std::stop_token stop) { RunCamera(i, stop); });
    }
    return threads;
  }

  void RunCamera(size_t index, std::stop_token stop) {
    Watch& watch = watches_[index];
    const absl::Status status = watch.camera->Run(stop);
    if (!status.ok()) LOG_ERROR("camera {}: {}", config_.cameras[index].name, Message(status));
    watch.pipeline->End();
    if (!stop.stop_requested()) recorder_->OnCameraEnd(index);
    std::lock_guard lock(mutex_);
    ++ended_;
    changed_.notify_all();
  }

  // Until somebody says stop, or, where that is asked for, until every camera has ended.
  void WaitForTheEnd(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop, [&] { return options_.until_drained && ended_ == watches_.size(); });
  }

  // Every clip has its receipt, and a ledger report that began after the last of them has been
  // taken.
  void Drain(std::stop_token stop) {
    while (spool_->stats().pending_clips > 0) {
      if (!clock_.Sleep(stop, kDrainPollNs)) return;
    }
    for (int i = 0; i < 2; ++i) {  // the first may have begun before
      const uint64_t reports = ledger_->stats().reports;
      ledger_->Poke();
      while (ledger_->stats().reports == reports) {
        if (!clock_.Sleep(stop, kDrainPollNs)) return;
      }
    }
    const uint64_t heartbeats = heartbeat_->stats().heartbeats;
    heartbeat_->Poke();
    while (heartbeat_->stats().heartbeats == heartbeats) {
      if (!clock_.Sleep(stop, kDrainPollNs)) return;
    }
  }

  // --- what the cloud hears

  v1::HelloRequest Hello() const {
    v1::HelloRequest hello;
    hello.set_boot_id(std::string(AsBytes(spool_->boot_id())));
    hello.set_site(config_.site);
    hello.set_platform(Platform());
    for (size_t i = 0; i < watches_.size(); ++i) {
      const CameraStatus status = watches_[i].camera->status();
      v1::CameraDescription* camera = hello.add_cameras();
      camera->set_name(config_.cameras[i].name);
      camera->set_source(status.source);
      camera->set_codec(status.format.codec);
      camera->set_width(static_cast<uint32_t>(std::max(0, status.format.width)));
      camera->set_height(static_cast<uint32_t>(std::max(0, status.format.height)));
      camera->set_frames_per_s(status.format.frames_per_s);
      camera->set_encoder(watches_[i].pipeline->encoder());
    }
    for (const RuleOptions& rule : engine_->rules()) {
      v1::RuleDescription* description = hello.add_rules();
      description->set_name(rule.name);
      description->set_expression(Shorten(rule.when, kMaxToldExpression));
      description->set_priority(rule.priority);
    }
    return hello;
  }

  std::vector<v1::CameraHealth> Cameras() const {
    std::vector<v1::CameraHealth> all;
    for (size_t i = 0; i < watches_.size(); ++i) {
      const CameraStatus status = watches_[i].camera->status();
      v1::CameraHealth health;
      health.set_name(config_.cameras[i].name);
      health.set_state(HealthState(status.state));
      health.set_frames_total(status.frames);
      health.set_decoded_frames_total(watches_[i].pipeline->decoded_frames());
      if (status.last_packet_monotonic_ns > 0) {
        health.set_silent_ms(static_cast<uint64_t>(std::max<int64_t>(
            0, (clock_.MonotonicNs() - status.last_packet_monotonic_ns) / kNanosPerMilli)));
      }
      health.set_frames_per_s(status.frames_per_s);
      const std::string pipeline = watches_[i].pipeline->problem();
      health.set_problem(status.problem.empty() ? pipeline : status.problem);
      all.push_back(std::move(health));
    }
    return all;
  }

  // The first that holds, the nearest to losing something first.
  std::string Problem() const {
    const LedgerStats ledger = ledger_->stats();
    if (!ledger.problem.empty()) return ledger.problem;
    if (std::string problem = recorder_->problem(); !problem.empty()) return problem;
    const SpoolStats spool = spool_->stats();
    if (spool.quarantined > 0) {
      return fmt::format("{} clips are quarantined: look with gleaner-edge status",
                         spool.quarantined);
    }
    for (const v1::CameraHealth& camera : Cameras()) {
      if (!camera.problem().empty()) {
        return fmt::format("camera {}: {}", camera.name(), camera.problem());
      }
    }
    return uploader_->stats().last_error;
  }

  void Apply(const v1::Policy& policy) {
    LOG_INFO("policy {}: upload cap {} B/s, capture {}", policy.version(),
             policy.upload_cap_bytes_per_s(), policy.capture_paused() ? "paused" : "on");
    uploader_->SetPolicyCap(policy.upload_cap_bytes_per_s());
    recorder_->SetPaused(policy.capture_paused(),
                         "capture is paused by policy " + policy.version());
    recorder_->SetPolicyVersion(policy.version());
  }

  const DaemonOptions& options_;
  const Config& config_;
  CheckedClock clock_;  // the server's answers tell how far it may be off

  std::unique_ptr<Link> link_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<TriggerEngine> engine_;
  std::unique_ptr<Recorder> recorder_;
  SampleFanout samples_;
  LoginGuard logins_{clock_};
  std::vector<Watch> watches_;
  std::unique_ptr<LedgerReporter> ledger_;
  std::unique_ptr<Uploader> uploader_;
  std::unique_ptr<Heartbeat> heartbeat_;
  std::shared_ptr<Progress> upload_progress_;
  std::vector<std::jthread> loops_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  size_t ended_ = 0;  // cameras
};

}  // namespace

absl::Status RunDaemon(const DaemonOptions& options, Clock& clock, std::stop_token stop) {
  Daemon daemon(options, clock);
  RETURN_IF_ERROR(daemon.Open());
  daemon.Run(stop);
  return absl::OkStatus();
}

}  // namespace gleaner::edge
