#include "cloud/net/listen_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "common/status.h"

namespace gleaner::cloud {
namespace {

// As many as the system allows: after a restart a whole fleet comes at once.
constexpr int kBacklog = SOMAXCONN;

}  // namespace

socklen_t ListenAddress::Fill(sockaddr_storage* storage) const {
  std::memset(storage, 0, sizeof(*storage));
  auto* v4 = reinterpret_cast<sockaddr_in*>(storage);
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    return sizeof(*v4);
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(storage);
  if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return sizeof(*v6);
  }
  return 0;
}

std::vector<ListenAddress> ListenAddress::Reachable() const {
  sockaddr_storage storage;
  if (Fill(&storage) == 0) return {};
  if (storage.ss_family == AF_INET) {
    const bool any = reinterpret_cast<sockaddr_in*>(&storage)->sin_addr.s_addr == INADDR_ANY;
    return {any ? ListenAddress{"127.0.0.1", port} : *this};
  }
  if (!IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<sockaddr_in6*>(&storage)->sin6_addr)) {
    return {*this};
  }
  return {{"::1", port}, {"127.0.0.1", port}};
}

bool ListenAddress::IsLoopback() const {
  sockaddr_storage storage;
  if (Fill(&storage) == 0) return false;
  if (storage.ss_family == AF_INET) {
    return ntohl(reinterpret_cast<sockaddr_in*>(&storage)->sin_addr.s_addr) >> 24 == 127;
  }
  return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<sockaddr_in6*>(&storage)->sin6_addr);
}

std::string ListenAddress::ToString() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text, uint16_t example_port) {
  const auto wrong = [&](std::string_view why) {
    return absl::InvalidArgumentError(fmt::format(
        "\"{0}\" is not an address to listen on ({1}); write it as 127.0.0.1:{2} or [::1]:{2}",
        text, why, example_port));
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong("the port is missing");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  ListenAddress address;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) {
    return wrong("the port is a number from 0 to 65535");
  }
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find(':') != std::string_view::npos) {
    return wrong("an IPv6 address stands in brackets");
  }
  address.host = host == "localhost" ? "127.0.0.1" : std::string(host);
  sockaddr_storage storage;
  if (address.Fill(&storage) == 0) return wrong("it needs a literal IP address or localhost");
  return address;
}

absl::StatusOr<Fd> ListenOn(const ListenAddress& address, uint16_t* port) {
  sockaddr_storage storage;
  socklen_t size = address.Fill(&storage);
  Fd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return ErrnoStatus(errno, "socket");
  // A restarted server must not wait for the old connections' TIME_WAIT to end.
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0 ||
      ::listen(socket.get(), kBacklog) != 0) {
    return ErrnoStatus(errno, fmt::format("listen on {}", address.ToString()));
  }
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return ErrnoStatus(errno, "getsockname");
  }
  *port =
      ntohs(storage.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&storage)->sin_port
                                         : reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port);
  return socket;
}

}  // namespace gleaner::cloud
