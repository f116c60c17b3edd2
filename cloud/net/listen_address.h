// "127.0.0.1:8080", "[::1]:8080", "localhost:8080": where a server listens.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/file.h"

namespace gleaner::cloud {

struct ListenAddress {
  std::string host;   // a literal address, without brackets
  uint16_t port = 0;  // 0 = any free one

  // Only this machine can reach it.
  bool IsLoopback() const;
  // As the kernel takes it; returns how many bytes that is, 0 if `host` is no literal address.
  socklen_t Fill(sockaddr_storage* storage) const;
  // Where a program on this machine reaches who listens here, the likeliest first: itself, or
  // loopback for the address that stands for all.
  std::vector<ListenAddress> Reachable() const;
  // As gRPC and URLs write it: "127.0.0.1:8080", "[::1]:8080".
  std::string ToString() const;
};

// A literal IPv4 or IPv6 address, or localhost, and a port. Names are not looked up: what a name
// means can change after the check.
absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text,
                                                 uint16_t example_port = 8080);

// A bound and listening TCP socket, non-blocking, without SO_REUSEPORT, so that a second server on
// the same port is an error and not a silent share. `port` is set to the port in use.
absl::StatusOr<Fd> ListenOn(const ListenAddress& address, uint16_t* port);

}  // namespace gleaner::cloud
