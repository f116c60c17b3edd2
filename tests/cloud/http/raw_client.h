// A browser that doesn't keep the rules: sends bytes as they are and reads what comes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <string_view>

#include "common/file.h"

namespace gleaner::cloud {

class RawClient {
 public:
  explicit RawClient(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ =
        ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool connected() const { return connected_; }

  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // Something has come that is not read yet, the end included.
  bool HasInput() const {
    pollfd item{socket_.get(), POLLIN, 0};
    return ::poll(&item, 1, 0) > 0;
  }

  // Reads until `text` has come, the server closes, or ten seconds have passed. All that came since
  // the start.
  const std::string& ReadUntil(std::string_view text) {
    while (received_.find(text) == std::string::npos && Read()) {
    }
    return received_;
  }
  const std::string& ReadToEnd() {
    while (Read()) {
    }
    return received_;
  }
  // The server closed the connection, as far as has been read.
  bool ended() const { return ended_; }

 private:
  bool Read() {
    pollfd item{socket_.get(), POLLIN, 0};
    if (::poll(&item, 1, 10'000) <= 0) return false;
    char buffer[65536];
    const ssize_t got = ::recv(socket_.get(), buffer, sizeof(buffer), 0);
    ended_ = got <= 0;
    if (got > 0) received_.append(buffer, static_cast<size_t>(got));
    return !ended_;
  }

  Fd socket_;
  bool connected_ = false;
  bool ended_ = false;
  std::string received_;
};

}  // namespace gleaner::cloud
