#include "tests/cloud/store/s3/fault_proxy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace gleaner::cloud::s3 {
namespace {

bool BeginsRequest(std::string_view bytes) {
  constexpr std::array<std::string_view, 5> kMethods = {"GET ", "HEAD ", "PUT ", "POST ",
                                                        "DELETE "};
  return std::any_of(kMethods.begin(), kMethods.end(),
                     [&](std::string_view method) { return bytes.starts_with(method); });
}

}  // namespace

FaultProxy::FaultProxy(const std::string& endpoint)
    : proxy_(SocketAddress::Loopback(0),
             SocketAddress::Loopback(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))),
             [this](auto from, auto bytes, int client, int server) {
               return PassOn(from, bytes, client, server);
             }) {}

std::string FaultProxy::endpoint() const {
  return fmt::format("http://127.0.0.1:{}", proxy_.port());
}

bool FaultProxy::PassOn(Proxy::From from, std::string_view bytes, int client, int server) {
  const bool to_server = from == Proxy::From::kClient;
  if (to_server && BeginsRequest(bytes)) {
    ++requests_;
    if (slow_downs_ > 0) {
      --slow_downs_;
      Refuse(client);
      return false;
    }
  }
  const int to = to_server ? server : client;
  std::atomic<int64_t>& budget = to_server ? send_budget_ : receive_budget_;
  const int64_t left = budget;
  if (left == kNoEnd) return SendAll(to, bytes);
  const auto n = static_cast<int64_t>(bytes.size());
  bytes = bytes.substr(0, static_cast<size_t>(std::min(left, n)));
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
