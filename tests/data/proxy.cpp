#include "tests/data/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

namespace gleaner {
namespace {

constexpr int kPollMs = 50;

const sockaddr* Raw(const SocketAddress& address) {
  return reinterpret_cast<const sockaddr*>(&address.storage);
}

Fd Socket(const SocketAddress& address) {
  return Fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

}  // namespace

SocketAddress SocketAddress::Loopback(int port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  in.sin_port = htons(static_cast<uint16_t>(port));
  SocketAddress address{.size = sizeof in};
  std::memcpy(&address.storage, &in, sizeof in);
  return address;
}

SocketAddress SocketAddress::Path(std::string_view path) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.size() >= sizeof un.sun_path)
    throw std::runtime_error(std::string(path) + " is too long");
  std::memcpy(un.sun_path, path.data(), path.size());
  SocketAddress address{.size = sizeof un};
  std::memcpy(&address.storage, &un, sizeof un);
  return address;
}

bool SendAll(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

Proxy::Proxy(const SocketAddress& own, const SocketAddress& server, OnBytes on_bytes)
    : server_(server), on_bytes_(std::move(on_bytes)), listener_(Socket(own)) {
  if (::bind(listener_.get(), Raw(own), own.size) != 0 || ::listen(listener_.get(), 64) != 0) {
    throw std::runtime_error("the proxy can't listen");
  }
  accepting_ = std::jthread([this](const std::stop_token& stop) { Accept(stop); });
}

Proxy::~Proxy() {
  accepting_.request_stop();
  accepting_.join();
  for (std::jthread& connection : connections_) connection.request_stop();
}

int Proxy::port() const {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

void Proxy::Accept(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd waiting{listener_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, kPollMs) <= 0) continue;
    const int client = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    connections_.emplace_back(
        [this, client](const std::stop_token& ends) { Serve(Fd(client), ends); });
  }
}

void Proxy::Serve(const Fd& client, const std::stop_token& stop) const {
  const Fd server = Socket(server_);
  if (::connect(server.get(), Raw(server_), server_.size) != 0) return;
  std::array<char, 65536> buffer;
  const auto pass = [&](From from) {
    const int fd = from == From::kClient ? client.get() : server.get();
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    return n > 0 &&
           on_bytes_(from, {buffer.data(), static_cast<size_t>(n)}, client.get(), server.get());
  };
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> both = {{{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}}};
    if (::poll(both.data(), both.size(), kPollMs) <= 0) continue;
    if (both[0].revents != 0 && !pass(From::kClient)) return;
    if (both[1].revents != 0 && !pass(From::kServer)) return;
  }
}

}  // namespace gleaner
