// A TCP port of loopback for a server that is going to be started, perhaps again and again.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "common/file.h"

namespace gleaner {

// Free a moment ago, another one at each call, and from below the range that the system gives out
// by itself: nobody's connection gets it while the server is down. Until this process ends no other
// test gets it either, however long the server takes to start: it is locked, as a file.
inline int FreeServerPort() {
  static std::atomic<int> next{::getpid() % 10'000};
  for (;;) {
    const int port = 20'000 + next++ % 12'000;
    Fd lock(::open(fmt::format("/tmp/gleaner-test-port-{}", port).c_str(),
                   O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (lock.valid() && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue;
    const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) continue;
    (void)lock.Release();  // the process's, to its end
    return port;
  }
}

}  // namespace gleaner
