#include "edge/health/status_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "common/log.h"
#include "common/status.h"
#include "common/unix_address.h"

namespace gleaner::edge {
namespace {

constexpr char kName[] = "status.sock";
constexpr int kWaiting = 8;
constexpr int kSendMs = 1000;
constexpr size_t kMaxStatusBytes = 1 << 20;

absl::StatusOr<Fd> OpenFolder(const std::string& directory) {
  return OpenFile(directory, O_PATH | O_DIRECTORY);
}

void SetTimeouts(int fd, int timeout_ms) {
  const timeval timeout{timeout_ms / 1000, (timeout_ms % 1000) * 1000};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
}

void Send(const Fd& peer, const std::string& bytes) {
  SetTimeouts(peer.get(), kSendMs);
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = ::send(peer.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    sent += static_cast<size_t>(n);
  }
}

}  // namespace

absl::StatusOr<StatusSocket> StatusSocket::Listen(const std::string& directory) {
  ASSIGN_OR_RETURN(const Fd folder, OpenFolder(directory));
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener.valid()) return ErrnoStatus(errno, "socket");
  ::unlinkat(folder.get(), kName, 0);
  ASSIGN_OR_RETURN(const sockaddr_un address, UnixAddress(folder, kName));
  // Its mode is what the socket's own mode becomes, so that nobody can connect before a chmod.
  ::fchmod(listener.get(), 0600);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listener.get(), kWaiting) != 0) {
    return ErrnoStatus(errno, fmt::format("{}/{}", directory, kName));
  }
  return StatusSocket(std::move(listener));
}

void StatusSocket::Run(const std::stop_token& stop,
                       const std::function<v1::DeviceStatus()>& status) {
  const Fd stopped(::eventfd(0, EFD_CLOEXEC));
  const std::stop_callback on_stop(stop, [&stopped] {
    const uint64_t one = 1;
    (void)!::write(stopped.get(), &one, sizeof(one));
  });
  while (!stop.stop_requested()) {
    pollfd items[] = {{stopped.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    if (::poll(items, 2, -1) < 0 && errno != EINTR) {
      LOG_ERROR("status socket: {}", std::strerror(errno));
      return;
    }
    if (stop.stop_requested()) return;
    const Fd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (peer.valid()) Send(peer, status().SerializeAsString());
  }
}

absl::StatusOr<v1::DeviceStatus> AskDaemon(const std::string& directory, int timeout_ms) {
  const auto no_daemon = [] { return absl::NotFoundError("the daemon is not running"); };
  const auto folder = OpenFolder(directory);
  if (absl::IsNotFound(folder.status())) return no_daemon();
  if (!folder.ok()) return folder.status();
  const Fd peer(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!peer.valid()) return ErrnoStatus(errno, "socket");
  SetTimeouts(peer.get(), timeout_ms);
  const absl::Status silent = absl::DeadlineExceededError(
      fmt::format("the daemon runs and gave no answer within {} s", timeout_ms / 1000.0));
  ASSIGN_OR_RETURN(const sockaddr_un address, UnixAddress(*folder, kName));
  if (::connect(peer.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return no_daemon();
    if (errno == EAGAIN) return silent;  // many others wait
    return ErrnoStatus(errno, fmt::format("{}/{}", directory, kName));
  }
  std::string bytes;
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::recv(peer.get(), buffer, sizeof(buffer), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return silent;
    if (n == 0) break;
    bytes.append(buffer, static_cast<size_t>(n));
    if (bytes.size() > kMaxStatusBytes)
      return absl::DataLossError("the daemon's answer has no end");
  }
  v1::DeviceStatus status;
  if (!status.ParseFromString(bytes) || bytes.empty()) {
    return absl::DataLossError("the daemon's answer can't be read");
  }
  return status;
}

}  // namespace gleaner::edge
