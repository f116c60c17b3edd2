#include "edge/shutdown.h"

#include <fmt/format.h>

#include <utility>

namespace gleaner::edge {
namespace {

// Beyond a stage's limit, so that the guard, which says why, is the one that ends the process.
constexpr int kMarginS = 10;

}  // namespace

Shutdown::Shutdown(std::stop_token stop, Notifier& notifier, Clock& clock,
                   std::function<void(const std::string&)> give_up)
    : stop_(std::move(stop)),
      notifier_(notifier),
      clock_(clock),
      give_up_(std::move(give_up)),
      guard_([this](std::stop_token done) { Guard(std::move(done)); }) {}

Shutdown::~Shutdown() = default;

void Shutdown::Enter(std::string what, int limit_s) {
  std::lock_guard lock(mutex_);
  what_ = std::move(what);
  limit_s_ = limit_s;
  silent_s_ = 0;
  Moved();
}

void Shutdown::Guard(std::stop_token done) {
  const std::stop_callback wake(stop_, [this] {
    std::lock_guard lock(mutex_);
    stopping_.notify_all();
  });
  {
    std::unique_lock lock(mutex_);
    stopping_.wait(lock, done, [this] { return stop_.stop_requested(); });
  }
  while (clock_.Sleep(done, kNanosPerSecond)) {
    if (!Tick()) continue;
    std::string why;
    {
      std::lock_guard lock(mutex_);
      why = fmt::format("stopping: {} for {} s", what_, limit_s_);
    }
    give_up_(why);
    return;
  }
}

bool Shutdown::Tick() {
  std::lock_guard lock(mutex_);
  if (limit_s_ == 0) return false;
  if (!moved_.exchange(false)) return ++silent_s_ >= limit_s_;
  silent_s_ = 0;
  // The watchdog, too, where the service manager still minds it.
  notifier_.Notify(fmt::format("EXTEND_TIMEOUT_USEC={}\nWATCHDOG=1",
                               (limit_s_ + kMarginS) * int64_t{1'000'000}));
  return false;
}

}  // namespace gleaner::edge
