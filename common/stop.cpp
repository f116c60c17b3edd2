#include "common/stop.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

namespace gleaner {

std::stop_token StopOnSignals() {
  // Both live as long as the process: the thread waits in sigwait until the end.
  static std::stop_source source;
  signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  static std::thread* waiter = new std::thread([signals] {
    int signal_number = 0;
    sigwait(&signals, &signal_number);
    source.request_stop();
    sigwait(&signals, &signal_number);
    _exit(130);
  });
  (void)waiter;
  return source.get_token();
}

}  // namespace gleaner
