#include "tests/cloud/store/s3/fault_proxy.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

namespace gleaner::cloud::s3 {
namespace {

constexpr int kPollMs = 50;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

bool BeginsRequest(std::string_view bytes) {
  constexpr std::array<std::string_view, 5> kMethods = {"GET ", "HEAD ", "PUT ", "POST ",
                                                        "DELETE "};
  return std::any_of(kMethods.begin(), kMethods.end(),
                     [&](std::string_view method) { return bytes.starts_with(method); });
}

// Not SIGPIPE: it breaks connections for a living.
bool SendAll(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

FaultProxy::FaultProxy(const std::string& endpoint)
    : server_port_(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_.get(), 64) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("the proxy can't listen");
  }
  port_ = ntohs(address.sin_port);
  accepting_ = std::jthread([this](const std::stop_token& stop) { Accept(stop); });
}

FaultProxy::~FaultProxy() {
  accepting_.request_stop();
  accepting_.join();
  for (std::jthread& connection : connections_) connection.request_stop();
}

std::string FaultProxy::endpoint() const { return fmt::format("http://127.0.0.1:{}", port_); }

void FaultProxy::Accept(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd waiting{listener_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, kPollMs) <= 0) continue;
    const int client = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    connections_.emplace_back(
        [this, client](const std::stop_token& ends) { Serve(Fd(client), ends); });
  }
}

void FaultProxy::Serve(const Fd& client, const std::stop_token& stop) {
  const Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = Loopback(server_port_);
  if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return;
  }
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> both = {{{client.get(), POLLIN, 0}, {server.get(), POLLIN, 0}}};
    if (::poll(both.data(), both.size(), kPollMs) <= 0) continue;
    if (both[0].revents != 0 && !Pass(client.get(), server.get(), send_budget_, true)) return;
    if (both[1].revents != 0 && !Pass(server.get(), client.get(), receive_budget_, false)) return;
  }
}

bool FaultProxy::Pass(int from, int to, std::atomic<int64_t>& budget, bool to_server) {
  std::array<char, 65536> buffer;
  const ssize_t n = ::recv(from, buffer.data(), buffer.size(), 0);
  if (n <= 0) return false;
  std::string_view bytes(buffer.data(), static_cast<size_t>(n));
  if (to_server && BeginsRequest(bytes)) {
    ++requests_;
    if (slow_downs_ > 0) {
      --slow_downs_;
      Refuse(from);
      return false;
    }
  }
  const int64_t left = budget;
  if (left == kNoEnd) return SendAll(to, bytes);
  bytes = bytes.substr(0, static_cast<size_t>(std::min<int64_t>(left, n)));
  const bool ends = left <= n;
  budget = ends ? kNoEnd : left - n;
  return SendAll(to, bytes) && !ends;
}

void FaultProxy::Refuse(int client) {
  constexpr std::string_view kBody =
      "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>Please reduce your request "
      "rate.</Message></Error>";
  (void)SendAll(client, fmt::format("HTTP/1.1 503 Slow Down\r\nConnection: close\r\n"
                                    "Content-Length: {}\r\n\r\n{}",
                                    kBody.size(), kBody));
  // What is on its way is read, or the answer would be lost to a reset.
  ::shutdown(client, SHUT_WR);
  std::array<char, 65536> rest;
  while (::recv(client, rest.data(), rest.size(), 0) > 0) {
  }
}

}  // namespace gleaner::cloud::s3
