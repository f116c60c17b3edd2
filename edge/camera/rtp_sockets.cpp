#include "edge/camera/rtp_sockets.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "fmt/format.h"

namespace gleaner::edge {
namespace {

constexpr int kTries = 64;
// A keyframe of a 4K camera comes in one burst; the kernel grants what net.core.rmem_max allows.
constexpr int kBufferBytes = 4 << 20;
// From strangers, before the caller gets a look at its stop.
constexpr int kMaxInARow = 64;

}  // namespace

absl::StatusOr<RtpSockets> RtpSockets::Open(NetAddress local) {
  int error = EADDRINUSE;
  for (int i = 0; i < kTries; ++i) {
    RtpSockets sockets;
    local.set_port(0);
    for (Fd& fd : sockets.fds_) {
      fd = Fd(socket(local.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      if (!fd.valid() || bind(fd.get(), local.get(), local.size) != 0) {
        error = errno;
        fd.Reset();
        break;
      }
      setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kBufferBytes, sizeof kBufferBytes);
      NetAddress bound;
      getsockname(fd.get(), bound.get(), &bound.size);
      if (sockets.port_ == 0) sockets.port_ = bound.port();
      if (sockets.port_ % 2 != 0) break;  // RTP's is even, RTCP's the next
      local.set_port(bound.port() + 1);
    }
    if (sockets.fds_[1].valid()) return sockets;
  }
  return absl::UnavailableError(fmt::format("no two UDP ports for the camera to send to: {}",
                                            std::generic_category().message(error)));
}

void RtpSockets::Expect(std::vector<NetAddress> hosts, std::array<uint16_t, 2> ports) {
  hosts_ = std::move(hosts);
  ports_ = ports;
  constexpr std::array<char, 12> kEmptyRtp = {'\x80'};
  constexpr std::array<char, 8> kEmptyReport = {'\x80', '\xc9', 0, 1};  // RFC 3550, 6.4.2
  Send(0, {kEmptyRtp.data(), kEmptyRtp.size()});
  Send(1, {kEmptyReport.data(), kEmptyReport.size()});
}

std::optional<size_t> RtpSockets::Receive(std::span<char> buffer) {
  for (const Fd& fd : fds_) {
    for (int i = 0; i < kMaxInARow; ++i) {
      NetAddress from;
      const ssize_t size =
          recvfrom(fd.get(), buffer.data(), buffer.size(), 0, from.get(), &from.size);
      if (size < 0) break;
      const bool known = std::any_of(hosts_.begin(), hosts_.end(),
                                     [&](const NetAddress& host) { return host.SameHost(from); });
      if (known) return static_cast<size_t>(size);
      ++strangers_;
    }
  }
  return std::nullopt;
}

void RtpSockets::Send(size_t socket, std::string_view bytes) {
  if (hosts_.empty() || ports_[socket] == 0) return;
  NetAddress to = hosts_.front();
  to.set_port(ports_[socket]);
  sendto(fds_[socket].get(), bytes.data(), bytes.size(), 0, to.get(), to.size);
}

}  // namespace gleaner::edge
