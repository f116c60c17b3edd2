#include "edge/sensor/sensor_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>

#include "common/log.h"
#include "common/status.h"
#include "common/unix_address.h"
#include "edge/sensor/sensor_message.h"

namespace gleaner::edge {
namespace {

// Read at once, and in a tick at most.
constexpr size_t kBatch = 64;
constexpr int64_t kTickNs = 20 * kNanosPerMilli;
constexpr size_t kPerTick = SensorSocket::kMaxPerSecond * kTickNs / kNanosPerSecond;

// The group's number; nullopt for "", which means our own.
absl::StatusOr<std::optional<gid_t>> FindGroup(const std::string& name) {
  if (name.empty()) return std::nullopt;
  std::array<char, 16384> buffer;
  group entry{};
  group* found = nullptr;
  const int error = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (error != 0) return ErrnoStatus(error, fmt::format("group {}", name));
  if (found == nullptr) {
    return absl::FailedPreconditionError(
        fmt::format("there is no group \"{}\": `groupadd --system {}` makes it", name, name));
  }
  return entry.gr_gid;
}

// As many messages as there are, a batch at most. Messages that are too long arrive cut, and say
// so.
class Batch {
 public:
  Batch() {
    for (size_t i = 0; i < kBatch; ++i) {
      parts_[i] = {texts_[i].data(), texts_[i].size()};
      headers_[i].msg_hdr.msg_iov = &parts_[i];
      headers_[i].msg_hdr.msg_iovlen = 1;
    }
  }
  // How many; 0 for none at the moment, negative for an error in errno.
  int Receive(int socket) {
    const int n = ::recvmmsg(socket, headers_.data(), kBatch, MSG_DONTWAIT, nullptr);
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
  }
  std::string_view Text(int i) const {
    return {texts_[static_cast<size_t>(i)].data(), headers_[static_cast<size_t>(i)].msg_len};
  }

 private:
  // One byte more than a message may have, by which one that has been cut is known.
  std::array<std::array<char, kMaxSensorMessageBytes + 1>, kBatch> texts_;
  std::array<iovec, kBatch> parts_;
  std::array<mmsghdr, kBatch> headers_{};
};

}  // namespace

absl::StatusOr<SensorSocket> SensorSocket::Bind(const SensorSocketOptions& options) {
  const std::filesystem::path path = options.path;
  ASSIGN_OR_RETURN(const Fd folder, OpenFile(path.parent_path(), O_PATH | O_DIRECTORY));
  const std::string name = path.filename();
  ASSIGN_OR_RETURN(const std::optional<gid_t> group, FindGroup(options.group));
  struct stat there {};
  if (::fstatat(folder.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISSOCK(there.st_mode)) {
      return absl::FailedPreconditionError(
          fmt::format("{}: something else is there, which is not replaced", options.path));
    }
    ::unlinkat(folder.get(), name.c_str(), 0);
  }
  Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return ErrnoStatus(errno, "socket");
  ASSIGN_OR_RETURN(const sockaddr_un address, UnixAddress(folder, name));
  // Its mode is what the socket's own mode becomes, so that nobody can send before a chmod.
  ::fchmod(socket.get(), 0660);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoStatus(errno, options.path);
  }
  if (group.has_value() &&
      ::fchownat(folder.get(), name.c_str(), static_cast<uid_t>(-1), *group, 0) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{}: can't be given to the group {}: {}; the daemon must be one of that group",
                    options.path, options.group, std::strerror(errno)));
  }
  // Where the process's umask took away more than it should have.
  if (::fchmodat(folder.get(), name.c_str(), 0660, 0) != 0) return ErrnoStatus(errno, options.path);
  return SensorSocket(std::move(socket));
}

void SensorSocket::Run(const std::stop_token& stop, Clock& clock,
                       const std::function<void(std::string_view)>& take) {
  const Fd stopped(::eventfd(0, EFD_CLOEXEC));
  const std::stop_callback on_stop(stop, [&stopped] {
    const uint64_t one = 1;
    (void)!::write(stopped.get(), &one, sizeof(one));
  });
  Batch batch;
  int64_t tick_ns = clock.MonotonicNs();
  size_t left = kPerTick;
  while (!stop.stop_requested()) {
    pollfd items[] = {{stopped.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
    if (::poll(items, 2, -1) < 0 && errno != EINTR) {
      LOG_ERROR("sensors: {}", std::strerror(errno));
      return;
    }
    const int64_t now_ns = clock.MonotonicNs();
    if (now_ns >= tick_ns + kTickNs) {
      tick_ns = now_ns;
      left = kPerTick;
    }
    if (left == 0) {
      clock.Sleep(stop, tick_ns + kTickNs - now_ns);
      continue;
    }
    const int n = batch.Receive(socket_.get());
    if (n < 0) {
      LOG_ERROR("sensors: {}", std::strerror(errno));
      return;
    }
    for (int i = 0; i < n; ++i) take(batch.Text(i));
    left -= std::min(left, static_cast<size_t>(n));
  }
}

}  // namespace gleaner::edge
