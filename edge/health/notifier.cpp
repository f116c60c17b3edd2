#include "edge/health/notifier.h"

#include <systemd/sd-daemon.h>

namespace gleaner::edge {
namespace {

class SdNotifier : public Notifier {
 public:
  void Notify(const std::string& state) override {
    sd_notify(/*unset_environment=*/0, state.c_str());
  }
};

}  // namespace

std::unique_ptr<Notifier> SystemdNotifier() { return std::make_unique<SdNotifier>(); }

int64_t SystemdWatchdogNs() {
  uint64_t usec = 0;
  return sd_watchdog_enabled(/*unset_environment=*/0, &usec) > 0 ? static_cast<int64_t>(usec) * 1000
                                                                 : 0;
}

}  // namespace gleaner::edge
