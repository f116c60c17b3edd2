#include "edge/device_report.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <string>
#include <utility>

#include "common/clip_key.h"
#include "common/text.h"
#include "common/version.h"

namespace gleaner::edge {
namespace {

// Of a rule, in Hello: 64 rules have to fit into 64 KiB.
constexpr size_t kMaxToldExpression = 512;

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

// `wall_ns`: what a monotonic time is behind the wall clock.
v1::SensorStatus ToStatus(const SensorStats& stats, int64_t wall_ns) {
  v1::SensorStatus status;
  status.set_name(stats.name);
  status.set_unit(stats.event ? "" : ValidUtf8(stats.unit));
  status.set_event(stats.event);
  for (size_t i = 0; i < stats.count; ++i) status.add_last(stats.last[i]);
  if (stats.taken > 0) status.set_last_unix_ns(wall_ns + stats.last_ns);
  status.set_taken_total(stats.taken);
  status.set_dropped_total(stats.dropped);
  status.set_lost_total(stats.lost);
  return status;
}

// Adds one, if there is something to say.
void Add(const std::string& part, const std::string& text, std::vector<v1::Problem>* problems) {
  if (text.empty()) return;
  v1::Problem& problem = problems->emplace_back();
  problem.set_part(part);
  problem.set_text(ValidUtf8(text));
}

}  // namespace

v1::CameraDescription DeviceReport::Describe(size_t i) const {
  const Watch& watch = parts_.watches[i];
  const CameraStatus status = watch.camera->status();
  v1::CameraDescription camera;
  camera.set_name(parts_.config.cameras[i].name);
  camera.set_source(status.source);
  camera.set_codec(status.format.codec);
  camera.set_width(static_cast<uint32_t>(std::max(0, status.format.width)));
  camera.set_height(static_cast<uint32_t>(std::max(0, status.format.height)));
  camera.set_frames_per_s(status.format.frames_per_s);
  camera.set_encoder(watch.pipeline->encoder());
  return camera;
}

v1::CameraHealth DeviceReport::HealthOf(size_t i) const {
  const Watch& watch = parts_.watches[i];
  const CameraStatus status = watch.camera->status();
  v1::CameraHealth health;
  health.set_name(parts_.config.cameras[i].name);
  health.set_state(HealthState(status.state));
  health.set_frames_total(status.frames);
  health.set_decoded_frames_total(watch.pipeline->decoded_frames());
  if (status.last_packet_monotonic_ns > 0) {
    const int64_t silent_ns = parts_.clock.MonotonicNs() - status.last_packet_monotonic_ns;
    health.set_silent_ms(static_cast<uint64_t>(std::max<int64_t>(0, silent_ns / kNanosPerMilli)));
  }
  health.set_frames_per_s(status.frames_per_s);
  // The nearest to the camera first; what the server finds in its pictures is the furthest.
  std::string problem = status.problem;
  if (problem.empty()) problem = watch.pipeline->problem();
  if (problem.empty()) problem = watch.pipeline->notice();
  health.set_problem(ValidUtf8(problem));
  return health;
}

v1::RuleDescription DeviceReport::Describe(const RuleOptions& rule) const {
  v1::RuleDescription description;
  description.set_name(rule.name);
  description.set_expression(Shorten(rule.when, kMaxToldExpression));
  description.set_priority(rule.priority);
  return description;
}

v1::HelloRequest DeviceReport::Hello() const {
  v1::HelloRequest hello;
  hello.set_boot_id(std::string(AsBytes(parts_.spool.boot_id())));
  hello.set_site(parts_.config.site);
  hello.set_platform(Platform());
  for (size_t i = 0; i < parts_.watches.size(); ++i) *hello.add_cameras() = Describe(i);
  for (const RuleOptions& rule : parts_.engine.rules()) *hello.add_rules() = Describe(rule);
  return hello;
}

std::vector<v1::CameraHealth> DeviceReport::Cameras() const {
  std::vector<v1::CameraHealth> all;
  for (size_t i = 0; i < parts_.watches.size(); ++i) all.push_back(HealthOf(i));
  return all;
}

std::vector<v1::Problem> DeviceReport::Problems() const {
  std::vector<v1::Problem> problems;
  const LedgerStats ledger = parts_.ledger.stats();
  // The server has told of gaps itself.
  if (ledger.gaps == 0) Add("ledger", ledger.problem, &problems);
  Add("capture", parts_.recorder.problem(), &problems);
  if (const uint32_t clips = parts_.spool.stats().quarantined; clips > 0) {
    Add("spool", Count(clips, "clip") + " quarantined: `gleaner-edge status` says why", &problems);
  }
  Add("sensors", parts_.sensors.problem(), &problems);
  Add("upload", parts_.uploader.stats().last_error, &problems);
  if (parts_.config.cameras.empty()) {
    Add("configuration", "there is no camera: nothing is watched", &problems);
  } else if (parts_.config.rules.empty()) {
    Add("configuration", "there is no rule: no clip is ever kept", &problems);
  }
  return problems;
}

v1::DeviceStatus DeviceReport::Status(const HeartbeatStats& heartbeat) {
  v1::DeviceStatus status;
  status.set_device(parts_.config.device);
  status.set_site(parts_.config.site);
  status.set_software_version(std::string(Version()));
  status.set_running(true);
  const int64_t now_ns = parts_.clock.MonotonicNs(), now_unix_ns = parts_.clock.WallNs();
  status.mutable_now()->set_monotonic_ns(now_ns);
  status.mutable_now()->set_wall_unix_ns(now_unix_ns);
  status.mutable_now()->set_wall_uncertainty_ns(parts_.clock.WallUncertaintyNs());
  {
    std::lock_guard lock(mutex_);
    const ProcessUsage usage = meter_.Read();
    status.mutable_process()->set_uptime_s(usage.uptime_s);
    status.mutable_process()->set_cpu_percent(usage.cpu_percent);
    status.mutable_process()->set_rss_bytes(usage.rss_bytes);
  }
  status.mutable_server()->set_address(parts_.config.link.server);
  status.mutable_server()->set_connected(heartbeat.connected);
  status.mutable_server()->set_policy_version(heartbeat.policy_version);
  status.mutable_server()->set_ahead_ns(heartbeat.server_ahead_ns);
  *status.mutable_upload() = ToHealth(parts_.uploader.stats(), heartbeat.upload_rate_bytes_per_s);

  std::vector<v1::Problem> problems;
  if (!heartbeat.connected) Add("server", heartbeat.problem, &problems);
  if (const LedgerStats ledger = parts_.ledger.stats(); ledger.gaps > 0) {
    Add("ledger", ledger.problem, &problems);
  }
  for (v1::Problem& problem : Problems()) {
    // Without the server nothing else that needs it goes either, for the same reason.
    const bool follows = problem.part() == "upload" || problem.part() == "ledger";
    if (heartbeat.connected || !follows) problems.push_back(std::move(problem));
  }
  for (size_t i = 0; i < parts_.watches.size(); ++i) {
    v1::CameraStatus* camera = status.add_cameras();
    *camera->mutable_description() = Describe(i);
    *camera->mutable_health() = HealthOf(i);
    Add("camera " + camera->health().name(), camera->health().problem(), &problems);
  }
  for (v1::Problem& problem : problems) *status.add_problems() = std::move(problem);

  for (const SensorStats& sensor : parts_.sensors.stats()) {
    *status.add_sensors() = ToStatus(sensor, now_unix_ns - now_ns);
  }
  const std::vector<RuleStats> stats = parts_.engine.stats();
  for (size_t i = 0; i < stats.size(); ++i) {
    v1::RuleStatus* rule = status.add_rules();
    *rule->mutable_description() = Describe(parts_.engine.rules()[i]);
    rule->set_firings(stats[i].firings);
    if (stats[i].firings > 0) rule->set_last_fired_unix_ns(now_unix_ns - now_ns + stats[i].last_ns);
  }
  return status;
}

}  // namespace gleaner::edge
