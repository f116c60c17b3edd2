// Passes bytes on between those who connect to a place of its own and a server, for proxies that
// make something go wrong on the way.
#pragma once

#include <sys/socket.h>

#include <functional>
#include <string_view>
#include <thread>
#include <vector>

#include "common/file.h"

namespace gleaner {

// A socket's address of any kind.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  static SocketAddress Loopback(int port);
  // Throws std::runtime_error where the path is longer than one may be.
  static SocketAddress Path(std::string_view path);
};

class Proxy {
 public:
  enum class From { kClient, kServer };
  // Bytes that came from one side; `client` and `server` are the sockets. Sends on what is to go
  // on; false if the connection is to break. On a thread of each connection's own.
  using OnBytes = std::function<bool(From from, std::string_view bytes, int client, int server)>;

  // Listens at once. Throws std::runtime_error where it can't.
  Proxy(const SocketAddress& own, const SocketAddress& server, OnBytes on_bytes);
  ~Proxy();

  // Of loopback, where that is where it listens.
  int port() const;

 private:
  void Accept(const std::stop_token& stop);
  void Serve(const Fd& client, const std::stop_token& stop) const;

  const SocketAddress server_;
  const OnBytes on_bytes_;
  Fd listener_;
  std::vector<std::jthread> connections_;
  std::jthread accepting_;
};

// False if the other end is gone. Not SIGPIPE: proxies break connections for a living.
bool SendAll(int to, std::string_view bytes);

}  // namespace gleaner
