// Tells those who look on that a device has news: it spoke, fell silent, or has other problems than
// before.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "cloud/events/events.h"
#include "common/clock.h"
#include "gleaner/v1/fleet.pb.h"

namespace gleaner::cloud {

// Announced (Database::Listen) with its name when a device said hello or sent a heartbeat.
inline constexpr std::string_view kDeviceHeard = "device.heard";

// Publishes {"device":"…"}: on `devices` at most once a second a device, and what is held back by
// that comes when the second is over; on `problems` when its problems change. Knows the devices
// that were heard since it was made. Thread-safe.
class DeviceEvents {
 public:
  // A device that is silent for longer than `offline_after_ns` has news once more. `events` and
  // `clock` must outlive it.
  DeviceEvents(Events& events, Clock& clock, int64_t offline_after_ns);
  ~DeviceEvents() = default;  // stops

  // It spoke, to this server or another one over the same database.
  void OnHeard(const std::string& device);
  // What it said to this server.
  void OnHeartbeat(const std::string& device, const v1::HeartbeatRequest& heartbeat);

  // Publishes what time brings; a thread of its own calls this each second.
  void Look();

 private:
  struct Seen {
    int64_t heard_ns = 0;
    int64_t told_ns = std::numeric_limits<int64_t>::min() / 2;
    bool waits = false;  // there is news since it was told
    std::string problems;
  };
  // Under the mutex.
  void Tell(const std::string& device, Seen& seen);

  Events& events_;
  Clock& clock_;
  const int64_t offline_after_ns_;
  const EventTopic devices_topic_;
  const EventTopic problems_topic_;
  std::mutex mutex_;
  std::map<std::string, Seen> devices_;  // that are not offline
  std::jthread thread_;
};

}  // namespace gleaner::cloud
