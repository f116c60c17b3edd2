#include "common/stop.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <thread>

#include "common/log.h"

namespace gleaner {
namespace {

bool IsIgnored(int signal_number) {
  struct sigaction action {};
  return sigaction(signal_number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

// Lives as long as the process.
void WaitForSignals(const sigset_t& signals, std::stop_source source) {
  bool told = false;
  for (;;) {
    int signal_number = 0;
    if (sigwait(&signals, &signal_number) != 0) continue;
    if (signal_number == SIGQUIT) _exit(128 + SIGQUIT);
    if (source.request_stop()) continue;
    if (!told) {
      LOG_WARN("SIG{} again: still stopping; SIGQUIT ends at once and loses what is in hand",
               sigabbrev_np(signal_number));
    }
    told = true;
  }
}

}  // namespace

std::stop_token StopOnSignals() {
  std::stop_source source;
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal_number : {SIGTERM, SIGINT, SIGQUIT}) sigaddset(&signals, signal_number);
  if (!IsIgnored(SIGHUP)) sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals, source] { WaitForSignals(signals, source); }).detach();
  return source.get_token();
}

}  // namespace gleaner
