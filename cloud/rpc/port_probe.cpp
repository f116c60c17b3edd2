#include "cloud/rpc/port_probe.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr int kProbeMs = 2'000;

}  // namespace

absl::Status PortProbe::Check(const ListenAddress& listening) {
  std::lock_guard one_at_a_time(one_at_a_time_);
  absl::Status status;
  for (const ListenAddress& target : listening.Reachable()) {
    status = Annotate(CheckOne(target), fmt::format("devices' port {}", target.ToString()));
    if (status.ok()) break;
  }
  return status;
}

bool PortProbe::Meets(const PeerAddress& peer) {
  std::lock_guard lock(mutex_);
  if (from_ != peer) return false;
  met_ = true;
  return true;
}

absl::Status PortProbe::CheckOne(const ListenAddress& target) {
  sockaddr_storage to, from;
  const socklen_t to_size = target.Fill(&to);
  socklen_t from_size = ListenAddress{target.host, 0}.Fill(&from);
  const Fd socket(::socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return ErrnoStatus(errno, "socket");
  // From a port that is known beforehand, so that the acceptor knows whom it meets.
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&from), from_size) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&from), &from_size) != 0) {
    return ErrnoStatus(errno, "bind");
  }
  {
    std::lock_guard lock(mutex_);
    from_ = PeerAddress::Of(from);
    met_ = false;
  }
  const int connected = ::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), to_size);
  const int error = connected == 0 ? 0 : errno;
  pollfd closed{.fd = socket.get(), .events = POLLIN, .revents = 0};
  if (error == 0 || error == EINPROGRESS) ::poll(&closed, 1, kProbeMs);
  std::lock_guard lock(mutex_);
  from_.reset();
  if (met_) return absl::OkStatus();
  if (error != 0 && error != EINPROGRESS) return ErrnoStatus(error, "connect");
  return absl::DeadlineExceededError(
      fmt::format("a connection was not accepted within {} s", kProbeMs / 1000));
}

}  // namespace gleaner::cloud
