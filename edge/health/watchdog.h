// The watchdog means progress: systemd is told that all is well only while every part of the daemon
// that registered has moved on within its own limit. A daemon that is alive but stuck is restarted
// by systemd, and the log says which part was stuck.
//
//   Watchdog watchdog(*SystemdNotifier(), SystemdWatchdogNs(), clock);
//   std::shared_ptr<Progress> progress = watchdog.Register("camera front", 60 * kNanosPerSecond);
//   … in the part's loop: progress->Made();   … when the part ends by design: progress->Retire();
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "common/clock.h"
#include "edge/health/notifier.h"

namespace gleaner::edge {

// One part's sign of life. Thread-safe, no locks: cheap enough for every packet.
class Progress {
 public:
  Progress(std::string part, int64_t limit_ns, Clock& clock);

  // The part has done a piece of its work, or waits on purpose (for a camera to come back, for the
  // next clip) and will say so again in time.
  void Made() { last_ns_.store(clock_.MonotonicNs(), std::memory_order_relaxed); }
  // The part has ended as it should: nothing more is expected of it.
  void Retire() { retired_.store(true, std::memory_order_relaxed); }

 private:
  friend class Watchdog;
  const std::string part_;
  const int64_t limit_ns_;
  Clock& clock_;
  std::atomic<int64_t> last_ns_;
  std::atomic<bool> retired_{false};
  bool stalled_ = false;  // the watchdog's own note
};

// Thread-safe but for Run().
class Watchdog {
 public:
  // `watchdog_ns`: how long systemd waits for a sign, 0 = it doesn't; stalls are looked for and
  // logged in either case. `notifier` and `clock` outlive this.
  Watchdog(Notifier& notifier, int64_t watchdog_ns, Clock& clock);

  // A part that must make progress at least every `limit_ns`, from now on.
  std::shared_ptr<Progress> Register(std::string part, int64_t limit_ns);

  // The daemon works: READY=1.
  void Ready();
  // One line for `systemctl status`. While a part is stuck that is shown in its place.
  void Status(const std::string& text);

  // Checks four times in `watchdog_ns` (every five seconds without one) until `stop`, then says
  // STOPPING=1.
  void Run(std::stop_token stop);
  // One check, as Run makes it. The names of the parts that are stuck.
  std::vector<std::string> Check();

 private:
  Notifier& notifier_;
  const int64_t period_ns_;
  Clock& clock_;

  std::mutex mutex_;
  std::vector<std::shared_ptr<Progress>> parts_;
  std::string status_;
  bool stuck_ = false;
};

}  // namespace gleaner::edge
