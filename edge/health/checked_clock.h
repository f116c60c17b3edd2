// The device's clock, checked against the server's. Every manifest says how sure the wall clock
// was; the kernel can't say on a device without time synchronisation (nor to a daemon that its unit
// keeps away from the clock), but each answer of the server carries its time.
//
// An answer that took from `sent` to `received` holds the server's time of some moment in between:
// its middle is right to half the round trip (Cristian, "Probabilistic clock synchronization",
// 1989). From then on the bound grows by what a quartz may drift. The server's own clock is taken
// as right.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>

#include "common/clock.h"

namespace gleaner::edge {

// Thread-safe. Wall time itself is not touched: it labels as the device believed, the uncertainty
// says how far that may be off.
class CheckedClock : public Clock {
 public:
  // `base` outlives this.
  explicit CheckedClock(Clock& base) : base_(base) {}

  int64_t MonotonicNs() const override { return base_.MonotonicNs(); }
  int64_t WallNs() const override { return base_.WallNs(); }
  bool Sleep(std::stop_token stop, int64_t duration_ns) override {
    return base_.Sleep(std::move(stop), duration_ns);
  }
  // The narrower of what the kernel and what the checks say; 0 when neither does.
  int64_t WallUncertaintyNs() const override;

  // An answer with the server's wall time; `sent_ns` and `received_ns` are monotonic. One that
  // would widen the bound is not used.
  void Check(int64_t server_unix_ns, int64_t sent_ns, int64_t received_ns);

 private:
  // True time is monotonic + offset_ns, give or take error_ns when it was checked.
  struct Estimate {
    int64_t offset_ns;
    int64_t error_ns;
    int64_t checked_ns;
  };
  static int64_t ErrorAt(const Estimate& estimate, int64_t monotonic_ns);

  Clock& base_;
  mutable std::mutex mutex_;
  std::optional<Estimate> estimate_;
};

}  // namespace gleaner::edge
