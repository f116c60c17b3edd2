#include "cloud/rpc/peer_socket.h"

#include <linux/sockios.h>
#include <linux/tcp.h>  // glibc's tcp_info ends before the bytes that were received
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace gleaner::cloud {

uint64_t CookieOf(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  return ::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

bool HasNews(int fd) {
  char byte = 0;
  return ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EINTR);
}

uint64_t BytesRead(int fd) {
  int waiting = 0;
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::ioctl(fd, SIOCINQ, &waiting) != 0 ||
      ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
    return 0;
  }
  return info.tcpi_bytes_received -
         std::min<uint64_t>(static_cast<uint64_t>(waiting), info.tcpi_bytes_received);
}

void Reset(Fd socket) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void Abort(int fd) {
  const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
  ::connect(fd, &nobody, sizeof(nobody));
}

}  // namespace gleaner::cloud
