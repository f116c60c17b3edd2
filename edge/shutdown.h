// How long the daemon may take to end.
//
// A stop goes from stage to stage, and each is bounded by the time without a sign of progress, not
// by a time in all: a device whose processor and disk others have taken still stores the clips in
// hand, and a driver that hangs doesn't keep it from rebooting. The service manager, which has a
// deadline of its own, is told to wait for as long.
//
// Time is counted in seconds that this guard has lived through: those in which the machine slept,
// or nothing of this process ran, are none that a stage has used up.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "common/clock.h"
#include "edge/health/notifier.h"

namespace gleaner::edge {

class Shutdown {
 public:
  // `give_up` is called, once and on the guard's thread, with a sentence, when a stage is stuck;
  // it doesn't return in a daemon. Nothing is counted before `stop` is requested. `notifier` and
  // `clock` outlive this.
  Shutdown(std::stop_token stop, Notifier& notifier, Clock& clock,
           std::function<void(const std::string& why)> give_up);
  ~Shutdown();

  // The next stage begins, which may take `limit_s` without a sign of progress. `what` completes
  // "stopping: … for 60 s".
  void Enter(std::string what, int limit_s);
  // A sign of progress. Any thread, no lock.
  void Moved() { moved_.store(true, std::memory_order_relaxed); }

 private:
  void Guard(std::stop_token done);
  // One second has passed; true if the stage is stuck.
  bool Tick();

  const std::stop_token stop_;
  Notifier& notifier_;
  Clock& clock_;
  const std::function<void(const std::string&)> give_up_;

  std::atomic<bool> moved_{false};
  std::mutex mutex_;  // guards what follows
  std::condition_variable_any stopping_;
  std::string what_;
  int limit_s_ = 0;  // 0: no stage yet
  int silent_s_ = 0;

  std::jthread guard_;
};

}  // namespace gleaner::edge
