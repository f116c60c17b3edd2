// "127.0.0.1:8080", "[::1]:8080", "localhost:8080": where a server listens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/file.h"

namespace gleaner::cloud {

struct ListenAddress {
  std::string host;   // a literal address, without brackets
  uint16_t port = 0;  // 0 = any free one

  // Only this machine can reach it.
  bool IsLoopback() const;
  // As gRPC and URLs write it: "127.0.0.1:8080", "[::1]:8080".
  std::string ToString() const;
};

// A literal IPv4 or IPv6 address, or localhost, and a port. Names are not looked up: what a name
// means can change after the check.
absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text);

// A bound and listening TCP socket, non-blocking, without SO_REUSEPORT, so that a second server on
// the same port is an error and not a silent share. `port` is set to the port in use.
absl::StatusOr<Fd> ListenOn(const ListenAddress& address, uint16_t* port);

}  // namespace gleaner::cloud
