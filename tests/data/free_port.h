// A TCP port of loopback for a server that is going to be started, perhaps again and again.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "common/file.h"

namespace gleaner {

// Free a moment ago, another one at each call, and from below the range that the system gives out
// by itself: nobody's connection gets it while the server is down.
inline int FreeServerPort() {
  static std::atomic<int> next{::getpid() % 10'000};
  for (;;) {
    const int port = 20'000 + next++ % 12'000;
    const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return port;
  }
}

}  // namespace gleaner
