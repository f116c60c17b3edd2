#include "common/stop.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

namespace gleaner {

std::stop_token StopOnSignals() {
  std::stop_source source;
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // Lives as long as the process, with its share of the source.
  std::thread([signals, source]() mutable {
    int signal_number = 0;
    sigwait(&signals, &signal_number);
    source.request_stop();
    sigwait(&signals, &signal_number);
    _exit(130);
  }).detach();
  return source.get_token();
}

}  // namespace gleaner
