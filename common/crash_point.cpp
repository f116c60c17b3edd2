#include "common/crash_point.h"

#if GLEANER_CRASH_POINTS

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>

namespace gleaner {
namespace {

struct Target {
  std::string name;
  std::atomic<int> left{1};

  Target() {
    const char* text = std::getenv("GLEANER_CRASH_AT");  // NOLINT(concurrency-mt-unsafe)
    if (text == nullptr) return;
    const std::string_view at(text);
    const size_t colon = at.rfind(':');
    name = at.substr(0, colon);
    if (colon != std::string_view::npos) left = std::atoi(text + colon + 1);
  }
};

}  // namespace

void CrashPoint(const char* name) {
  static Target target;
  if (target.name != name) return;
  if (target.left.fetch_sub(1) == 1) {
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
  }
}

bool Fault(const char* name) {
  static const char* const wanted = std::getenv("GLEANER_FAULT");  // NOLINT(concurrency-mt-unsafe)
  return wanted != nullptr && std::string_view(wanted) == name;
}

}  // namespace gleaner

#endif
