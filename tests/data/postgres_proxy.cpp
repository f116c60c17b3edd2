#include "tests/data/postgres_proxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace gleaner {
namespace {

constexpr int kPollMs = 50;
constexpr const char* kSocket = "/.s.PGSQL.5432";
constexpr std::string_view kHost = "?host=";

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error(path + " is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Fd Socket() { return Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

bool SendAll(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

PostgresProxy::PostgresProxy(const std::string& name) : listener_(Socket()) {
  const size_t host = name.find(kHost) + kHost.size();
  server_ = name.substr(host) + kSocket;
  name_ = name.substr(0, host) + folder_.path();
  const sockaddr_un address = AddressOf(folder_.path() + kSocket);
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_.get(), 64) != 0) {
    throw std::runtime_error("the proxy can't listen");
  }
  accepting_ = std::jthread([this](const std::stop_token& stop) { Accept(stop); });
}

PostgresProxy::~PostgresProxy() {
  accepting_.request_stop();
  accepting_.join();
  for (std::jthread& connection : connections_) connection.request_stop();
}

void PostgresProxy::Accept(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd waiting{listener_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, kPollMs) <= 0) continue;
    const int client = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    connections_.emplace_back(
        [this, client](const std::stop_token& ends) { Serve(Fd(client), ends); });
  }
}

void PostgresProxy::Serve(const Fd& client, const std::stop_token& stop) {
  const Fd server = Socket();
  const sockaddr_un address = AddressOf(server_);
  if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return;
  }
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> both = {{{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}}};
    if (::poll(both.data(), both.size(), kPollMs) <= 0) continue;
    if (both[0].revents != 0 && !PassOn(client.get(), server.get())) return;
    if (both[1].revents != 0) {
      std::array<char, 65536> buffer;
      const ssize_t n = ::recv(server.get(), buffer.data(), buffer.size(), 0);
      if (n <= 0 || !SendAll(client.get(), {buffer.data(), static_cast<size_t>(n)})) return;
    }
  }
}

bool PostgresProxy::PassOn(int client, int server) {
  std::array<char, 65536> buffer;
  const ssize_t n = ::recv(client, buffer.data(), buffer.size(), 0);
  if (n <= 0) return false;
  const std::string_view bytes(buffer.data(), static_cast<size_t>(n));
  if (!SendAll(server, bytes)) return false;
  if (bytes.find("COMMIT") == std::string_view::npos || !lose_next_.exchange(false)) return true;
  // Its answer comes when it is done.
  (void)::recv(server, buffer.data(), buffer.size(), 0);
  return false;
}

}  // namespace gleaner
