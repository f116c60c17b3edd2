#include "edge/health/watchdog.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "common/log.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kPeriodNs = 5 * kNanosPerSecond;

}  // namespace

Progress::Progress(std::string part, int64_t limit_ns, Clock& clock)
    : part_(std::move(part)), limit_ns_(limit_ns), clock_(clock), last_ns_(clock.MonotonicNs()) {}

Watchdog::Watchdog(Notifier& notifier, int64_t watchdog_ns, Clock& clock)
    : notifier_(notifier),
      period_ns_(watchdog_ns > 0 ? watchdog_ns / 4 : kPeriodNs),
      clock_(clock) {}

std::shared_ptr<Progress> Watchdog::Register(std::string part, int64_t limit_ns) {
  auto progress = std::make_shared<Progress>(std::move(part), limit_ns, clock_);
  std::lock_guard lock(mutex_);
  parts_.push_back(progress);
  return progress;
}

void Watchdog::Ready() { notifier_.Notify("READY=1"); }

void Watchdog::Status(const std::string& text) {
  std::lock_guard lock(mutex_);
  status_ = text;
  if (!stuck_) notifier_.Notify("STATUS=" + text);
}

void Watchdog::Run(std::stop_token stop) {
  do {
    Check();
  } while (clock_.Sleep(stop, period_ns_));
  notifier_.Notify("STOPPING=1");
}

std::vector<std::string> Watchdog::Check() {
  const int64_t now = clock_.MonotonicNs();
  std::vector<std::string> stuck;
  std::lock_guard lock(mutex_);
  std::erase_if(parts_, [](const auto& part) { return part->retired_.load(); });
  for (const auto& part : parts_) {
    const int64_t silent_ns = now - part->last_ns_.load();
    const bool stalled = silent_ns > part->limit_ns_;
    if (stalled) stuck.push_back(part->part_);
    if (stalled == std::exchange(part->stalled_, stalled)) continue;
    if (stalled) {
      LOG_ERROR("{} is stuck: no progress for {} s, limit {} s", part->part_,
                silent_ns / kNanosPerSecond, part->limit_ns_ / kNanosPerSecond);
    } else {
      LOG_WARN("{} moves again", part->part_);
    }
  }
  if (stuck.empty()) {
    notifier_.Notify("WATCHDOG=1");
    if (stuck_) notifier_.Notify("STATUS=" + status_);
  } else {
    notifier_.Notify(fmt::format("STATUS=stuck: {}", fmt::join(stuck, ", ")));
  }
  stuck_ = !stuck.empty();
  return stuck;
}

}  // namespace gleaner::edge
