// One connection as cpp-httplib reads and writes it, with limits on size and time.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "common/file.h"
#include "httplib.h"

namespace gleaner::cloud {

// Used by one thread at a time.
class ConnectionStream : public httplib::Stream {
 public:
  // A non-blocking socket. `may_wait` is asked each time before a write waits for a reader who
  // takes nothing; where it says no, the write fails.
  ConnectionStream(Fd socket, std::string remote_address, int remote_port,
                   std::function<bool()> may_wait);

  enum class Head { kWhole, kPartial, kEnded };
  // Takes in what is here of the next request's head, without waiting. kWhole also when it is
  // longer than a head may be.
  Head ReadHead();
  // A head that has begun to come must be whole by then: 5 s after its first byte.
  bool HeadIsLate(std::chrono::steady_clock::time_point now) const;
  // Reading on, a head is at most 32 KiB; from its end the body has 30 s to arrive.
  void BeginRequest();
  void EndHead();
  // When its first byte came.
  std::chrono::steady_clock::time_point request_begun() const { return request_begun_; }
  // What is here already.
  size_t buffered_bytes() const { return input_.size() - begin_; }
  bool HasInput() const { return buffered_bytes() > 0; }
  int fd() const { return socket_.get(); }
  // Before closing on a client that may still be sending: says the end and takes in what comes for
  // a moment, or the reset that follows unread bytes could overtake the answer.
  void Linger();

  bool is_readable() const override;
  bool is_writable() const override;
  // Bytes read, 0 at the end, −1 on an error, a timeout or a limit.
  ssize_t read(char* data, size_t size) override;
  ssize_t write(const char* data, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  // Not the real one: the library only compares it with FD_SETSIZE, and select() is never used
  // here.
  socket_t socket() const override { return 0; }

 private:
  // Waits for `events` until `deadline`.
  bool Wait(short events, std::chrono::steady_clock::time_point deadline) const;

  const Fd socket_;
  const std::string remote_address_;
  const int remote_port_;
  const std::function<bool()> may_wait_;
  std::string input_;  // read from the socket; what is before begin_ is used up
  size_t begin_ = 0;
  std::optional<std::chrono::steady_clock::time_point> head_begun_;  // of the next request
  std::chrono::steady_clock::time_point request_begun_;
  bool in_head_ = true;
  size_t head_bytes_ = 0;
  std::chrono::steady_clock::time_point read_deadline_;
};

}  // namespace gleaner::cloud
