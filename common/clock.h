// Time, injected. Code that needs to know or to wait takes a Clock&; only main() makes the real
// one.
//
// Monotonic time (CLOCK_BOOTTIME: goes on in suspend) orders and measures, wall time labels. All
// times are nanoseconds.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>

namespace gleaner {

inline constexpr int64_t kNanosPerMilli = 1'000'000;
inline constexpr int64_t kNanosPerSecond = 1'000'000'000;

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual int64_t MonotonicNs() const = 0;
  // Unix time; may step in either direction.
  virtual int64_t WallNs() const = 0;
  // Half-width of the interval that holds true wall time (the kernel's estimated error); 0 when the
  // clock is not synchronised.
  virtual int64_t WallUncertaintyNs() const = 0;
  // Waits for `duration_ns` of monotonic time, or less when `stop` is requested. True if it waited
  // to the end.
  virtual bool Sleep(std::stop_token stop, int64_t duration_ns) = 0;
};

// The machine's clock. One for the process.
Clock& RealClock();

// A clock that stands still until told: for tests. Thread-safe.
class FakeClock : public Clock {
 public:
  explicit FakeClock(int64_t monotonic_ns = 1'000 * kNanosPerSecond,
                     int64_t wall_ns = 1'700'000'000 * kNanosPerSecond);

  int64_t MonotonicNs() const override;
  int64_t WallNs() const override;
  int64_t WallUncertaintyNs() const override;
  // Blocks until Advance() reaches the end, or `stop`. With AutoAdvance it moves the clock itself
  // and returns at once.
  bool Sleep(std::stop_token stop, int64_t duration_ns) override;

  void Advance(int64_t duration_ns);
  // Steps wall time alone, as NTP or a person would.
  void StepWall(int64_t delta_ns);
  void SetWallUncertainty(int64_t uncertainty_ns);
  void AutoAdvance(bool on);

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  int64_t monotonic_ns_;
  int64_t wall_ns_;
  int64_t uncertainty_ns_ = kNanosPerMilli;
  bool auto_advance_ = false;
};

}  // namespace gleaner
