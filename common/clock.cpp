#include "common/clock.h"

#include <sys/timex.h>
#include <time.h>

#include <chrono>

namespace gleaner {
namespace {

int64_t Read(clockid_t id) {
  timespec now;
  clock_gettime(id, &now);
  return now.tv_sec * kNanosPerSecond + now.tv_nsec;
}

class SystemClock : public Clock {
 public:
  int64_t MonotonicNs() const override { return Read(CLOCK_BOOTTIME); }
  int64_t WallNs() const override { return Read(CLOCK_REALTIME); }
  int64_t WallUncertaintyNs() const override {
    timex state{};  // modes = 0: read only
    const int result = adjtimex(&state);
    if (result < 0 || result == TIME_ERROR || (state.status & STA_UNSYNC) != 0) return 0;
    return state.maxerror * 1000;  // microseconds
  }
  bool Sleep(std::stop_token stop, int64_t duration_ns) override {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never;
    never.wait_for(lock, stop, std::chrono::nanoseconds(duration_ns), [] { return false; });
    return !stop.stop_requested();
  }
};

}  // namespace

Clock& RealClock() {
  static SystemClock clock;
  return clock;
}

FakeClock::FakeClock(int64_t monotonic_ns, int64_t wall_ns)
    : monotonic_ns_(monotonic_ns), wall_ns_(wall_ns) {}

int64_t FakeClock::MonotonicNs() const {
  std::lock_guard lock(mutex_);
  return monotonic_ns_;
}
int64_t FakeClock::WallNs() const {
  std::lock_guard lock(mutex_);
  return wall_ns_;
}
int64_t FakeClock::WallUncertaintyNs() const {
  std::lock_guard lock(mutex_);
  return uncertainty_ns_;
}

bool FakeClock::Sleep(std::stop_token stop, int64_t duration_ns) {
  std::unique_lock lock(mutex_);
  const int64_t end = monotonic_ns_ + duration_ns;
  if (auto_advance_ && duration_ns > 0) {
    wall_ns_ += duration_ns;
    monotonic_ns_ = end;
    changed_.notify_all();
    return !stop.stop_requested();
  }
  return changed_.wait(lock, stop, [&] { return monotonic_ns_ >= end; });
}

void FakeClock::Advance(int64_t duration_ns) {
  std::lock_guard lock(mutex_);
  monotonic_ns_ += duration_ns;
  wall_ns_ += duration_ns;
  changed_.notify_all();
}
void FakeClock::StepWall(int64_t delta_ns) {
  std::lock_guard lock(mutex_);
  wall_ns_ += delta_ns;
}
void FakeClock::SetWallUncertainty(int64_t uncertainty_ns) {
  std::lock_guard lock(mutex_);
  uncertainty_ns_ = uncertainty_ns;
}
void FakeClock::AutoAdvance(bool on) {
  std::lock_guard lock(mutex_);
  auto_advance_ = on;
  changed_.notify_all();
}

}  // namespace gleaner
