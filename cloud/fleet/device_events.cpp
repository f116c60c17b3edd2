#include "cloud/fleet/device_events.h"

#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

namespace gleaner::cloud {
namespace {

constexpr int64_t kTellEveryNs = kNanosPerSecond;

std::string EventOf(const std::string& device) { return nlohmann::json{{"device", device}}.dump(); }

// Two heartbeats with the same problems give the same text.
std::string ProblemsOf(const v1::HeartbeatRequest& heartbeat) {
  v1::HeartbeatRequest only;
  only.set_problem(heartbeat.problem());
  *only.mutable_problems() = heartbeat.problems();
  for (const v1::CameraHealth& camera : heartbeat.cameras()) {
    if (camera.problem().empty()) continue;
    v1::CameraHealth* ill = only.add_cameras();
    ill->set_name(camera.name());
    ill->set_problem(camera.problem());
  }
  return only.SerializeAsString();
}

}  // namespace

DeviceEvents::DeviceEvents(Events& events, Clock& clock, int64_t offline_after_ns)
    : events_(events),
      clock_(clock),
      offline_after_ns_(offline_after_ns),
      devices_topic_(events.Topic("devices")),
      problems_topic_(events.Topic("problems")),
      thread_([this](const std::stop_token& stop) {
        while (clock_.Sleep(stop, kNanosPerSecond)) Look();
      }) {}

void DeviceEvents::Tell(const std::string& device, Seen& seen) {
  seen.told_ns = clock_.MonotonicNs();
  seen.waits = false;
  events_.Publish(devices_topic_, EventOf(device));
}

void DeviceEvents::OnHeard(const std::string& device) {
  std::lock_guard lock(mutex_);
  Seen& seen = devices_[device];
  seen.heard_ns = clock_.MonotonicNs();
  seen.waits = true;
  if (seen.heard_ns - seen.told_ns >= kTellEveryNs) Tell(device, seen);
}

void DeviceEvents::OnHeartbeat(const std::string& device, const v1::HeartbeatRequest& heartbeat) {
  std::string problems = ProblemsOf(heartbeat);
  std::lock_guard lock(mutex_);
  Seen& seen = devices_[device];
  seen.heard_ns = clock_.MonotonicNs();
  if (problems == seen.problems) return;
  seen.problems = std::move(problems);
  events_.Publish(problems_topic_, EventOf(device));
}

void DeviceEvents::Look() {
  std::lock_guard lock(mutex_);
  const int64_t now = clock_.MonotonicNs();
  for (auto at = devices_.begin(); at != devices_.end();) {
    auto& [device, seen] = *at;
    const bool is_silent = now - seen.heard_ns > offline_after_ns_;
    if (is_silent || (seen.waits && now - seen.told_ns >= kTellEveryNs)) Tell(device, seen);
    at = is_silent ? devices_.erase(at) : std::next(at);
  }
}

}  // namespace gleaner::cloud
