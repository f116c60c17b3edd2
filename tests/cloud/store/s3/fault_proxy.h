// A way to a server that can be made to go wrong: what it is told to do to the next requests it
// does, each once, and else it passes everything on.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/data/proxy.h"

namespace gleaner::cloud::s3 {

class FaultProxy {
 public:
  // `endpoint`: "http://127.0.0.1:PORT".
  explicit FaultProxy(const std::string& endpoint);

  std::string endpoint() const;
  // So many requests get 503 SlowDown instead of an answer.
  void SlowDown(int requests) { slow_downs_ = requests; }
  // The connection breaks once so many bytes have gone to the server from now on.
  void CutAfterSending(int64_t bytes) { send_budget_ = bytes; }
  // The same of bytes that have come from it.
  void CutAfterReceiving(int64_t bytes) { receive_budget_ = bytes; }
  // Requests that came by, whatever became of them.
  int requests() const { return requests_; }

 private:
  bool PassOn(Proxy::From from, std::string_view bytes, int client, int server);
  static void Refuse(int client);

  static constexpr int64_t kNoEnd = INT64_MAX;
  std::atomic<int> slow_downs_{0}, requests_{0};
  std::atomic<int64_t> send_budget_{kNoEnd}, receive_budget_{kNoEnd};
  Proxy proxy_;  // last: its threads use what stands above
};

}  // namespace gleaner::cloud::s3
