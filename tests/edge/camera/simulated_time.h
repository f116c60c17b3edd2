// Time for cameras that run on threads of their own, without anybody waiting for the real one: the
// clock stands still while any of them works, and goes on to the next frame's arrival when all wait
// for theirs. So what each sees is the same in every run, and ten minutes take seconds.
//
//   SimulatedTime time(clock, 2);                      // two cameras
//   camera.OnRead([&, n = 0]() mutable { time.Wait(0, start_ns + n++ * 40 * kMs); });
//   … on its thread: camera.Run(stop); time.Leave(0);
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "common/clock.h"

namespace gleaner::edge {

// Thread-safe. `clock` outlives it and is moved by nobody else.
class SimulatedTime {
 public:
  SimulatedTime(FakeClock& clock, size_t cameras) : clock_(clock), wake_ns_(cameras, kWorking) {}

  // Camera `number` has nothing to do until `moment_ns`. Returns when that has come.
  void Wait(size_t number, int64_t moment_ns) {
    std::unique_lock lock(mutex_);
    wake_ns_[number] = moment_ns;
    Advance();
    changed_.wait(lock, [&] { return wake_ns_[number] == kWorking; });
  }

  // The camera waits for nothing any more.
  void Leave(size_t number) {
    std::lock_guard lock(mutex_);
    wake_ns_[number] = kLeft;
    Advance();
  }

 private:
  static constexpr int64_t kWorking = INT64_MIN;
  static constexpr int64_t kLeft = INT64_MAX;

  // Wakes the camera whose moment is the next, if all wait. Two of one moment go in order.
  void Advance() {
    const auto next = std::min_element(wake_ns_.begin(), wake_ns_.end());
    if (*next == kWorking || *next == kLeft) return;
    clock_.Advance(std::max<int64_t>(0, *next - clock_.MonotonicNs()));
    *next = kWorking;
    changed_.notify_all();
  }

  FakeClock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int64_t> wake_ns_;  // by camera
};

}  // namespace gleaner::edge
