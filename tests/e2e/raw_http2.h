// A server that speaks just enough HTTP/2 to answer a gRPC call with any bytes as its status, which
// no library would send.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "common/file.h"

namespace gleaner::e2e {

// A connection to loopback; invalid if nobody listens there.
Fd ConnectTo(int port);

class RawHttp2Server {
 public:
  // `status`: the value of the header ":status", 126 bytes at most.
  RawHttp2Server(int port, std::string status);
  ~RawHttp2Server();
  // Calls that were answered.
  int answers() const { return answers_; }

 private:
  void Serve(const std::stop_token& stop);
  void Talk(const Fd& peer, const std::stop_token& stop);

  const std::string status_;
  Fd listening_;
  std::atomic<int> answers_{0};
  std::jthread thread_;
};

}  // namespace gleaner::e2e
