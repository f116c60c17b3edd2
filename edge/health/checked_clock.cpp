#include "edge/health/checked_clock.h"

#include <algorithm>
#include <cstdlib>

namespace gleaner::edge {
namespace {

constexpr int64_t kDriftPpm = 100;  // of a cheap quartz over temperature

}  // namespace

int64_t CheckedClock::ErrorAt(const Estimate& estimate, int64_t monotonic_ns) {
  return estimate.error_ns + (monotonic_ns - estimate.checked_ns) / 1'000'000 * kDriftPpm;
}

int64_t CheckedClock::WallUncertaintyNs() const {
  const int64_t kernel_ns = base_.WallUncertaintyNs();
  std::lock_guard lock(mutex_);
  if (!estimate_) return kernel_ns;
  // Wall time may have been set since the check: what counts is where it is now.
  const int64_t now = base_.MonotonicNs();
  const int64_t off_ns = std::abs(base_.WallNs() - (now + estimate_->offset_ns));
  const int64_t checked_ns = std::max<int64_t>(1, off_ns + ErrorAt(*estimate_, now));
  return kernel_ns > 0 ? std::min(kernel_ns, checked_ns) : checked_ns;
}

void CheckedClock::Check(int64_t server_unix_ns, int64_t sent_ns, int64_t received_ns) {
  if (server_unix_ns <= 0 || received_ns < sent_ns) return;
  const int64_t error_ns = (received_ns - sent_ns) / 2;
  std::lock_guard lock(mutex_);
  if (estimate_ && ErrorAt(*estimate_, received_ns) < error_ns) return;
  estimate_ = {.offset_ns = server_unix_ns - (sent_ns + error_ns),
               .error_ns = error_ns,
               .checked_ns = received_ns};
}

}  // namespace gleaner::edge
