// An address of a socket, IPv4 or IPv6, with its size beside it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

namespace gleaner::edge {

struct NetAddress {
  sockaddr_storage bytes{};
  socklen_t size = sizeof(sockaddr_storage);

  // A number such as "10.0.0.7" or "fe80::1"; nullopt for anything else.
  static std::optional<NetAddress> Parse(const std::string& number) {
    NetAddress address;
    if (inet_pton(AF_INET, number.c_str(), &address.v4()->sin_addr) == 1) {
      address.v4()->sin_family = AF_INET;
      address.size = sizeof(sockaddr_in);
    } else if (inet_pton(AF_INET6, number.c_str(), &address.v6()->sin6_addr) == 1) {
      address.v6()->sin6_family = AF_INET6;
      address.size = sizeof(sockaddr_in6);
    } else {
      return std::nullopt;
    }
    return address;
  }

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&bytes); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
  int family() const { return bytes.ss_family; }
  uint16_t port() const { return ntohs(family() == AF_INET6 ? v6()->sin6_port : v4()->sin_port); }
  void set_port(uint16_t port) {
    (family() == AF_INET6 ? v6()->sin6_port : v4()->sin_port) = htons(port);
  }
  // Whatever the ports.
  bool SameHost(const NetAddress& other) const {
    if (family() != other.family()) return false;
    if (family() == AF_INET) return v4()->sin_addr.s_addr == other.v4()->sin_addr.s_addr;
    return std::memcmp(&v6()->sin6_addr, &other.v6()->sin6_addr, sizeof(in6_addr)) == 0;
  }

 private:
  sockaddr_in* v4() { return reinterpret_cast<sockaddr_in*>(&bytes); }
  const sockaddr_in* v4() const { return reinterpret_cast<const sockaddr_in*>(&bytes); }
  sockaddr_in6* v6() { return reinterpret_cast<sockaddr_in6*>(&bytes); }
  const sockaddr_in6* v6() const { return reinterpret_cast<const sockaddr_in6*>(&bytes); }
};

}  // namespace gleaner::edge
