// A wait on the injected clock that another thread can cut short.
#pragma once

#include <cstdint>
#include <mutex>
#include <stop_token>
#include <utility>

#include "common/clock.h"

namespace gleaner::edge {

// One thread waits, any may poke.
class Waker {
 public:
  // Ends the wait, or the next one if there is none.
  void Poke() {
    std::lock_guard lock(mutex_);
    poked_ = true;
    wait_.request_stop();
  }

  // Waits for `duration_ns`, a poke or `stop`. True if it was poked.
  bool Wait(Clock& clock, const std::stop_token& stop, int64_t duration_ns) {
    std::stop_source wait;
    {
      std::lock_guard lock(mutex_);
      if (poked_) wait.request_stop();
      wait_ = wait;
    }
    const std::stop_callback chain(stop, [&wait] { wait.request_stop(); });
    clock.Sleep(wait.get_token(), duration_ns);
    std::lock_guard lock(mutex_);
    return std::exchange(poked_, false);
  }

 private:
  std::mutex mutex_;
  bool poked_ = false;
  std::stop_source wait_;  // of the wait under way
};

}  // namespace gleaner::edge
