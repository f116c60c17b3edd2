#include "cloud/http/connection_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gleaner::cloud {
namespace {

using std::chrono::steady_clock;

constexpr size_t kMaxHeadBytes = 32 << 10;
constexpr size_t kReadBytes = 16 << 10;
constexpr std::chrono::seconds kHeadTimeout{5};
constexpr std::chrono::seconds kBodyTimeout{30};
constexpr std::chrono::seconds kWriteTimeout{20};
constexpr std::chrono::seconds kLingerTimeout{1};
constexpr size_t kLingerBytes = 4 << 20;

}  // namespace

ConnectionStream::ConnectionStream(Fd socket, std::string remote_address, int remote_port,
                                   std::function<bool()> may_wait)
    : socket_(std::move(socket)),
      remote_address_(std::move(remote_address)),
      remote_port_(remote_port),
      may_wait_(std::move(may_wait)) {}

ConnectionStream::Head ConnectionStream::ReadHead() {
  input_.erase(0, begin_);
  begin_ = 0;
  for (;;) {
    if (!input_.empty() && !head_begun_) head_begun_ = steady_clock::now();
    if (input_.size() >= kMaxHeadBytes || input_.find("\r\n\r\n") != std::string::npos) {
      return Head::kWhole;
    }
    const size_t before = input_.size();
    input_.resize(before + kReadBytes);
    const ssize_t got = ::recv(socket_.get(), input_.data() + before, kReadBytes, 0);
    const int error = errno;
    input_.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && error == EAGAIN) return Head::kPartial;
    if (got == 0 || (got < 0 && error != EINTR)) return Head::kEnded;
  }
}

bool ConnectionStream::HeadIsLate(steady_clock::time_point now) const {
  return head_begun_ && now - *head_begun_ > kHeadTimeout;
}

void ConnectionStream::BeginRequest() {
  in_head_ = true;
  head_bytes_ = 0;
  request_begun_ = head_begun_.value_or(steady_clock::now());
  head_begun_.reset();
  read_deadline_ = request_begun_ + kHeadTimeout;
}

void ConnectionStream::EndHead() {
  in_head_ = false;
  read_deadline_ = steady_clock::now() + kBodyTimeout;
}

bool ConnectionStream::Wait(short events, steady_clock::time_point deadline) const {
  pollfd item{socket_.get(), events, 0};
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
    if (left < 0) return false;
    const int ready = ::poll(&item, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

bool ConnectionStream::is_readable() const {
  return HasInput() || Wait(POLLIN, steady_clock::now());
}

bool ConnectionStream::is_writable() const { return Wait(POLLOUT, steady_clock::now()); }

ssize_t ConnectionStream::read(char* data, size_t size) {
  while (!HasInput()) {
    input_.resize(kReadBytes);
    begin_ = 0;
    const ssize_t got = ::recv(socket_.get(), input_.data(), input_.size(), 0);
    const int error = errno;
    input_.resize(std::max<ssize_t>(got, 0));
    if (got == 0) return 0;
    if (got < 0 && error != EINTR && (error != EAGAIN || !Wait(POLLIN, read_deadline_))) {
      return -1;
    }
  }
  const size_t count = std::min(size, input_.size() - begin_);
  if (in_head_ && (head_bytes_ += count) > kMaxHeadBytes) return -1;
  std::memcpy(data, input_.data() + begin_, count);
  begin_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t ConnectionStream::write(const char* data, size_t size) {
  for (;;) {
    const ssize_t sent = ::send(socket_.get(), data, size, MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    if (errno == EINTR) continue;
    if (errno != EAGAIN || !may_wait_()) return -1;
    if (!Wait(POLLOUT, steady_clock::now() + kWriteTimeout)) return -1;
  }
}

void ConnectionStream::Linger() {
  ::shutdown(socket_.get(), SHUT_WR);
  const auto deadline = steady_clock::now() + kLingerTimeout;
  input_.resize(kReadBytes);
  for (size_t taken = 0; taken < kLingerBytes && Wait(POLLIN, deadline);) {
    const ssize_t got = ::recv(socket_.get(), input_.data(), input_.size(), 0);
    if (got <= 0) return;
    taken += static_cast<size_t>(got);
  }
}

void ConnectionStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip = remote_address_;
  port = remote_port_;
}

// Nobody here asks for it.
void ConnectionStream::get_local_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

}  // namespace gleaner::cloud
