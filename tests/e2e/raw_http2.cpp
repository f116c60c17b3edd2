#include "tests/e2e/raw_http2.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <stdexcept>

#include "tests/data/http2_frame.h"

namespace gleaner::e2e {
namespace {

using namespace http2;  // NOLINT(google-build-using-namespace): a format's words

constexpr int kPollMs = 50;

sockaddr_in Loopback(int port) {
  return {.sin_family = AF_INET,
          .sin_port = htons(static_cast<uint16_t>(port)),
          .sin_addr = {htonl(INADDR_LOOPBACK)},
          .sin_zero = {}};
}

bool Readable(const Fd& socket) {
  pollfd wanted{.fd = socket.get(), .events = POLLIN, .revents = 0};
  return ::poll(&wanted, 1, kPollMs) == 1;
}

}  // namespace

Fd ConnectTo(int port) {
  const sockaddr_in to = Loopback(port);
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int connected = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  // A server that closes at once what it accepts may be quicker than connect() is to return.
  if (connected != 0 && errno != ECONNRESET) socket.Reset();
  return socket;
}

RawHttp2Server::RawHttp2Server(int port, std::string status)
    : status_(std::move(status)), listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_in address = Loopback(port);
  const int yes = 1;
  ::setsockopt(listening_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listening_.get(), 8) != 0) {
    throw std::runtime_error("the raw server can't listen");
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { Serve(stop); });
}

RawHttp2Server::~RawHttp2Server() = default;

void RawHttp2Server::Serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (!Readable(listening_)) continue;
    Talk(Fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC)), stop);
  }
}

// One connection at a time, until its peer gives it up.
void RawHttp2Server::Talk(const Fd& peer, const std::stop_token& stop) {
  const auto send = [&](const std::string& bytes) {
    ::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  };
  send(Frame(kSettings, kNone, 0, ""));
  std::string in;
  size_t at = kPreface.size();
  char bytes[4096];
  while (!stop.stop_requested()) {
    if (!Readable(peer)) continue;
    const ssize_t got = ::recv(peer.get(), bytes, sizeof(bytes), 0);
    if (got <= 0) return;
    in.append(bytes, static_cast<size_t>(got));
    while (in.size() >= at + kFrameHeadBytes) {
      const auto byte = [&](size_t i) { return static_cast<uint8_t>(in[at + i]); };
      const size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
      if (in.size() < at + kFrameHeadBytes + size) break;
      const uint32_t stream = (byte(5) & 0x7fu) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8);
      if (byte(3) == kSettings && (byte(4) & kAcknowledged) == 0) {
        send(Frame(kSettings, kAcknowledged, 0, ""));
      } else if (byte(3) == kHeaders) {
        // RFC 7541, 6.2.2: a literal that is not indexed, its name the eighth of the static table.
        const std::string block =
            std::string("\x08", 1) + static_cast<char>(status_.size()) + status_;
        send(Frame(kHeaders, kEndStream | kEndHeaders, stream, block));
        ++answers_;
      }
      at += kFrameHeadBytes + size;
    }
  }
}

}  // namespace gleaner::e2e
