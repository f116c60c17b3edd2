// What the service manager hears from us: sd_notify(3).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace gleaner::edge {

// Thread-safe.
class Notifier {
 public:
  virtual ~Notifier() = default;
  // Newline-separated assignments: "READY=1", "STATUS=…", "WATCHDOG=1", "STOPPING=1".
  virtual void Notify(const std::string& state) = 0;
};

// To the socket in NOTIFY_SOCKET; does nothing where there is none (not started by systemd).
std::unique_ptr<Notifier> SystemdNotifier();

// WatchdogSec of the unit as systemd passes it on, in nanoseconds; 0 = no watchdog.
int64_t SystemdWatchdogNs();

}  // namespace gleaner::edge
