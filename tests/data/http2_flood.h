// Devices with a certificate that is good, and nothing else that is: they speak HTTP/2 over TLS and
// send, without end, what comes to nothing.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/file.h"
#include "tests/data/pki.h"

namespace gleaner {

struct Http2Flood {
  std::string name;
  // The `n`th piece of it, from 0.
  std::function<std::string(uint32_t n)> piece;
};

// Every kind that we know of. `first`: the number of the first stream that it opens, odd.
std::vector<Http2Flood> Http2Floods(uint32_t first = 1);
// The one of this name among them.
Http2Flood Http2FloodNamed(const std::string& name, uint32_t first = 1);

// A connection to loopback, over which preface and settings have been sent. Not thread-safe.
class RawHttp2Client {
 public:
  // Throws std::runtime_error if the server doesn't let it in.
  RawHttp2Client(int port, const TestPki::Identity& device);
  ~RawHttp2Client();

  // False once the server has ended the connection, or takes nothing for ten seconds.
  bool Send(const std::string& bytes);
  // Sends a flood until the server ends it or `limit` bytes are sent. Returns how many were.
  uint64_t Send(const Http2Flood& flood, uint64_t limit);

 private:
  Fd socket_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_;
};

}  // namespace gleaner
