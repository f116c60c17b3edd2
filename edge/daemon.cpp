#include "edge/daemon.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/file.h"
#include "common/log.h"
#include "common/status.h"
#include "common/text.h"
#include "edge/camera_pipeline.h"
#include "edge/clip/recorder.h"
#include "edge/device_report.h"
#include "edge/health/checked_clock.h"
#include "edge/health/heartbeat.h"
#include "edge/health/status_socket.h"
#include "edge/health/watchdog.h"
#include "edge/sensor/sensor_intake.h"
#include "edge/sensor/sensor_socket.h"
#include "edge/shutdown.h"
#include "edge/spool/spool.h"
#include "edge/trigger/detector/registry.h"
#include "edge/trigger/engine.h"
#include "edge/upload/ledger_reporter.h"
#include "edge/upload/link.h"
#include "edge/upload/uploader.h"
#include "edge/watch.h"

namespace gleaner::edge {
namespace {

// A camera that stands still this long, or as long as its stall timeout allows, has the watchdog
// end the daemon; reconnecting counts as moving.
constexpr int64_t kCameraLimitNs = 120 * kNanosPerSecond;
constexpr int64_t kLoopLimitNs = 90 * kNanosPerSecond;
constexpr int64_t kPollNs = 50 * kNanosPerMilli;
// At a stop, without a sign of progress: of the cameras, of the clips in hand, of what holds none.
constexpr int64_t kCamerasLimitNs = 10 * kNanosPerSecond;
constexpr int kStoreLimitS = 60;
constexpr int kEndLimitS = 10;

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
  void OnTime(int64_t monotonic_ns) override { engine_->OnTime(monotonic_ns); }

 private:
  Recorder* recorder_ = nullptr;
  TriggerEngine* engine_ = nullptr;
};

class Daemon {
 public:
  Daemon(const DaemonOptions& options, Clock& clock)
      : options_(options), config_(options.config), clock_(clock) {}

  absl::Status Open() {
    ASSIGN_OR_RETURN(link_, Link::Open(config_.link, clock_));
    // Where a folder was there before us, they may have been made for all to read.
    for (const char* name : {"spool.db", "spool.db-wal", "spool.db-shm", "spool.blocks"}) {
      const absl::Status status = MakePrivate(config_.spool.directory + "/" + name);
      if (!status.ok()) LOG_WARN("others may read what the spool keeps: {}", Message(status));
    }
    ASSIGN_OR_RETURN(spool_, Spool::Open(config_.spool, clock_, KernelBootId()));
    RETURN_IF_ERROR(OpenTriggers());
    RETURN_IF_ERROR(OpenSensors());
    OpenNetwork();
    OpenStatusSocket();
    return absl::OkStatus();
  }

  void Run(std::stop_token stop) {
    const std::unique_ptr<Notifier> notifier = SystemdNotifier();
    Shutdown shutdown(stop, *notifier, clock_, [](const std::string& why) {
      LOG_ERROR("{}: ending at once; a clip that is not stored is failed at the next start", why);
      ::_exit(1);
    });
    Watchdog watchdog(*notifier, SystemdWatchdogNs(), clock_);
    StartLoops(watchdog, shutdown);
    std::vector<std::jthread> cameras = StartCameras(watchdog);
    {
      std::jthread watcher([&](std::stop_token ended) { watchdog.Run(ended); });
      const std::string cameras_count = Count(watches_.size(), "camera");
      LOG_INFO("watching: {}, {}, as {}", cameras_count, Count(engine_->rules().size(), "rule"),
               config_.device);
      watchdog.Ready();
      watchdog.Status("watching " + cameras_count);
      WaitForTheEnd(stop);
    }
    if (stop.stop_requested()) LOG_INFO("stopping");
    // From the source downwards: cameras, recorder, then what talks to the server. The clips in
    // hand don't wait for a camera whose driver hangs.
    shutdown.Enter("the cameras have not ended", kStoreLimitS);
    for (std::jthread& camera : cameras) camera.request_stop();
    WaitForCameras(shutdown);
    shutdown.Enter("the clips in hand have not moved", kStoreLimitS);
    recorder_->Finish();
    shutdown.Enter("a camera has not let go", kEndLimitS);
    cameras.clear();
    if (options_.until_drained && !stop.stop_requested()) Drain(stop);
    shutdown.Enter("the connection to the server has not closed", kEndLimitS);
    for (std::jthread& loop : loops_) loop.request_stop();
    loops_.clear();
    const SpoolStats left = spool_->stats();
    LOG_INFO("stopped; {} waiting, {}", Count(left.pending_clips, "clip"),
             HumanBytes(left.pending_bytes));
  }

 private:
  absl::Status OpenTriggers() {
    ASSIGN_OR_RETURN(
        engine_, TriggerEngine::Create(config_.rules, SignalsOf(config_.cameras, config_.sensors),
                                       [this](const Firing& firing) {
                                         recorder_->OnFiring(firing,
                                                             engine_->SignalsOf(firing.rule->name));
                                       }));
    std::set<std::string> read;
    RecorderOptions options{.device = config_.device,
                            .site = config_.site,
                            .cameras = {},
                            .pre_roll_ns = 0,
                            .latency_ns = engine_->latency_ns(),
                            .ring_max_bytes = config_.ring_max_bytes,
                            .units = UnitsOf(config_.sensors)};
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
      // A detector runs only where some rule reads one of its signals.
      auto detectors =
          MakeDetectors(config_.detectors[i], {camera.name, samples_, IsLive(camera)},
                        [&](const std::string& signal) { return read.contains(signal); });
      Watch watch;
      watch.pipeline = std::make_unique<CameraPipeline>(
          i, camera.name, std::move(detectors), samples_, config_.encoders, *recorder_, clock_);
      watch.camera = std::make_unique<Camera>(camera, clock_, *watch.pipeline, &logins_);
      watches_.push_back(std::move(watch));
    }
    return absl::OkStatus();
  }

  absl::Status OpenSensors() {
    sensors_ = std::make_unique<SensorIntake>(config_.sensors, samples_, clock_);
    if (config_.sensors.empty()) return absl::OkStatus();
    auto socket = SensorSocket::Bind(config_.sensor_socket);
    if (!socket.ok()) return Annotate(socket.status(), "sensors");
    sensor_socket_ = *std::move(socket);
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
        HeartbeatSources{.hello = [this] { return report_->Hello(); },
                         .spool = [this] { return spool_->stats(); },
                         .upload = [this] { return uploader_->stats(); },
                         .cameras = [this] { return report_->Cameras(); },
                         .problems = [this] { return report_->Problems(); },
                         .notices = [this](const auto& notices) { TakeNotices(notices); },
                         .server_time =
                             [this](int64_t server_unix_ns, int64_t sent_ns, int64_t received_ns) {
                               clock_.Check(server_unix_ns, sent_ns, received_ns);
                             }},
        *link_, clock_, [this](const v1::Policy& policy) { Apply(policy); });
    report_ = std::make_unique<DeviceReport>(DeviceReport::Parts{
        config_, clock_, *spool_, *engine_, *recorder_, watches_, *sensors_, *ledger_, *uploader_});
  }

  // Without it the daemon works as well; a person then reads the log.
  void OpenStatusSocket() {
    auto socket = StatusSocket::Listen(config_.spool.directory);
    if (!socket.ok()) {
      LOG_WARN("`gleaner-edge status` will know the spool only: {}", Message(socket.status()));
      return;
    }
    status_socket_ = *std::move(socket);
  }

  // --- threads

  void StartLoops(Watchdog& watchdog, Shutdown& shutdown) {
    recorder_->SetAlive([&shutdown, progress = watchdog.Register("recorder", kLoopLimitNs)] {
      progress->Made();
      shutdown.Moved();
    });
    upload_progress_ = watchdog.Register("upload", kLoopLimitNs);
    loops_.emplace_back([this](std::stop_token stop) { uploader_->Run(stop); });
    loops_.emplace_back([this](std::stop_token stop) { ledger_->Run(stop); });
    loops_.emplace_back([this](std::stop_token stop) { heartbeat_->Run(stop); });
    if (sensor_socket_.has_value()) {
      loops_.emplace_back([this](std::stop_token stop) {
        sensor_socket_->Run(stop, clock_,
                            [this](std::string_view text) { sensors_->OnMessage(text); });
      });
    }
    if (status_socket_.has_value()) {
      loops_.emplace_back([this](std::stop_token stop) {
        status_socket_->Run(stop, [this] { return report_->Status(heartbeat_->stats()); });
      });
    }
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

  // Until every camera has ended; not longer than kCamerasLimitNs for any of them.
  void WaitForCameras(Shutdown& shutdown) {
    size_t ended = 0;
    for (int64_t waited_ns = 0; waited_ns < kCamerasLimitNs; waited_ns += kPollNs) {
      {
        std::lock_guard lock(mutex_);
        if (ended_ == watches_.size()) return;
        if (std::exchange(ended, ended_) != ended_) {
          shutdown.Moved();
          waited_ns = 0;
        }
      }
      clock_.Sleep({}, kPollNs);
    }
    LOG_WARN("a camera has not ended within {} s; the clips in hand are stored without it",
             kCamerasLimitNs / kNanosPerSecond);
  }

  // Every clip has its receipt, and a ledger report that began after the last of them has been
  // taken.
  void Drain(std::stop_token stop) {
    while (spool_->stats().pending_clips > 0) {
      if (!clock_.Sleep(stop, kPollNs)) return;
    }
    for (int i = 0; i < 2; ++i) {  // the first may have begun before
      const uint64_t reports = ledger_->stats().reports;
      ledger_->Poke();
      while (ledger_->stats().reports == reports) {
        if (!clock_.Sleep(stop, kPollNs)) return;
      }
    }
    const uint64_t heartbeats = heartbeat_->stats().heartbeats;
    heartbeat_->Poke();
    while (heartbeat_->stats().heartbeats == heartbeats) {
      if (!clock_.Sleep(stop, kPollNs)) return;
    }
  }

  void TakeNotices(const std::vector<v1::CameraNotice>& notices) {
    for (size_t i = 0; i < watches_.size(); ++i) {
      std::string text;
      for (const v1::CameraNotice& notice : notices) {
        if (notice.camera() == config_.cameras[i].name) text = notice.text();
      }
      watches_[i].pipeline->SetNotice(std::move(text));
    }
  }

  void Apply(const v1::Policy& policy) {
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
  std::unique_ptr<SensorIntake> sensors_;
  std::optional<SensorSocket> sensor_socket_;
  std::unique_ptr<LedgerReporter> ledger_;
  std::unique_ptr<Uploader> uploader_;
  std::unique_ptr<Heartbeat> heartbeat_;
  std::unique_ptr<DeviceReport> report_;
  std::optional<StatusSocket> status_socket_;
  std::shared_ptr<Progress> upload_progress_;
  std::vector<std::jthread> loops_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  size_t ended_ = 0;  // cameras
};

}  // namespace

absl::Status RunDaemon(const DaemonOptions& options, Clock& clock, std::stop_token stop) {
  for (const std::string& warning : options.config.warnings) LOG_WARN("{}", warning);
  Daemon daemon(options, clock);
  RETURN_IF_ERROR(daemon.Open());
  daemon.Run(stop);
  return absl::OkStatus();
}

}  // namespace gleaner::edge
