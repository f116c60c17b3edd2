#include "tests/data/postgres_proxy.h"

#include <array>

namespace gleaner {
namespace {

constexpr const char* kSocket = "/.s.PGSQL.5432";
constexpr std::string_view kHost = "?host=";

}  // namespace

PostgresProxy::PostgresProxy(const std::string& name) {
  const size_t host = name.find(kHost) + kHost.size();
  name_ = name.substr(0, host) + folder_.path();
  proxy_ = std::make_unique<Proxy>(SocketAddress::Path(folder_.path() + kSocket),
                                   SocketAddress::Path(name.substr(host) + kSocket),
                                   [this](auto from, auto bytes, int client, int server) {
                                     return PassOn(from, bytes, client, server);
                                   });
}

bool PostgresProxy::PassOn(Proxy::From from, std::string_view bytes, int client, int server) {
  if (from == Proxy::From::kServer) return SendAll(client, bytes);
  if (!SendAll(server, bytes)) return false;
  if (bytes.find("COMMIT") == std::string_view::npos || !lose_next_.exchange(false)) return true;
  // Its answer comes when it is done.
  std::array<char, 65536> answer;
  (void)::recv(server, answer.data(), answer.size(), 0);
  return false;
}

}  // namespace gleaner
