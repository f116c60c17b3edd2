// Who is at the other end of a connection, so that connections can be told apart and counted.
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gleaner::cloud {

struct PeerAddress {
  // In network order; an IPv4 address as ::ffff:a.b.c.d, however the socket says it.
  std::array<uint8_t, 16> host{};
  uint16_t port = 0;

  // nullopt for anything but IPv4 and IPv6.
  static std::optional<PeerAddress> Of(const sockaddr_storage& address);
  // From grpc::ServerContext::peer(): "ipv4:10.0.0.7:4242", "ipv6:%5Bfe80::1%25eth0%5D:4242".
  // nullopt for anything else.
  static std::optional<PeerAddress> FromGrpc(std::string_view peer);

  bool IsIpv4() const;
  // Whose connections are counted together: an IPv4 address, or the 64 bits that a network of IPv6
  // hands out as it likes. The port is 0.
  PeerAddress Network() const;
  // "10.0.0.7", "2001:db8::1".
  std::string HostText() const;
  // "10.0.0.7:4242", "[2001:db8::1]:4242".
  std::string ToString() const;

  auto operator<=>(const PeerAddress&) const = default;
};

}  // namespace gleaner::cloud
