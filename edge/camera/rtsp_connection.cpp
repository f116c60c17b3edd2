#include "edge/camera/rtsp_connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <system_error>
#include <utility>
#include <vector>

#include "common/status.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

// One wait; after each, `interrupted` is asked.
constexpr int kMomentMs = 50;
// Between looks at a query.
constexpr int kLookMs = 5;
constexpr size_t kMaxAddresses = 8;
constexpr size_t kMaxOthers = 2;  // RTP and RTCP over UDP

// What getaddrinfo(3) reads and writes; it can't be interrupted, so it runs on glibc's own thread
// and a query that is given up lives on until that is done with it.
struct Query {
  std::string host;
  std::string service;
  addrinfo hints{};
  gaicb request{};

  ~Query() {
    if (request.ar_result != nullptr) freeaddrinfo(request.ar_result);
  }
};

// Whether glibc has let go of a query. It tells a result while its thread still has to do with the
// query, which gai_cancel(3) waits for.
bool IsDone(Query& query) {
  return gai_error(&query.request) != EAI_INPROGRESS &&
         gai_cancel(&query.request) != EAI_NOTCANCELED;
}

// Keeps what was given up and frees what has ended since.
void Abandon(std::unique_ptr<Query> query) {
  static std::mutex mutex;
  static auto* abandoned = new std::vector<std::unique_ptr<Query>>;
  std::lock_guard lock(mutex);
  std::erase_if(*abandoned, [](const auto& old) { return IsDone(*old); });
  abandoned->push_back(std::move(query));
}

absl::StatusOr<std::vector<NetAddress>> Resolve(const std::string& host, uint16_t port,
                                                const std::function<bool()>& interrupted) {
  auto query = std::make_unique<Query>();
  query->host = host;
  query->service = fmt::format("{}", port);
  query->hints.ai_socktype = SOCK_STREAM;
  // Most cameras are numbers, which nobody has to be asked for.
  query->hints.ai_flags = AI_NUMERICHOST;
  if (getaddrinfo(query->host.c_str(), query->service.c_str(), &query->hints,
                  &query->request.ar_result) != 0) {
    query->hints.ai_flags = AI_ADDRCONFIG;
    query->request.ar_name = query->host.c_str();
    query->request.ar_service = query->service.c_str();
    query->request.ar_request = &query->hints;
    gaicb* request = &query->request;
    int error = getaddrinfo_a(GAI_NOWAIT, &request, 1, nullptr);
    // Not gai_suspend(3): where its time runs out just as the query ends, glibc goes on to write
    // where that call's stack was.
    while (error == 0 && !IsDone(*query)) {
      if (interrupted()) {
        if (gai_cancel(request) == EAI_NOTCANCELED) Abandon(std::move(query));
        return absl::CancelledError("looking up the host");
      }
      poll(nullptr, 0, kLookMs);
    }
    if (error == 0) error = gai_error(request);
    if (error != 0) {
      return absl::UnavailableError(
          fmt::format("the host can't be found: {}", gai_strerror(error)));
    }
  }
  std::vector<NetAddress> addresses;
  for (const addrinfo* at = query->request.ar_result; at != nullptr; at = at->ai_next) {
    if (at->ai_addrlen > sizeof(sockaddr_storage) || addresses.size() == kMaxAddresses) continue;
    NetAddress address;
    std::memcpy(&address.bytes, at->ai_addr, at->ai_addrlen);
    address.size = at->ai_addrlen;
    addresses.push_back(address);
  }
  return addresses;
}

// A name may lead to addresses that swallow everything, such as of an IPv6 that the site hasn't
// got: all are tried side by side.
absl::StatusOr<Fd> Connect(const std::vector<NetAddress>& addresses,
                           const std::function<bool()>& interrupted) {
  std::vector<Fd> sockets;
  std::vector<pollfd> polls;
  int error = ECONNREFUSED;
  for (const NetAddress& address : addresses) {
    Fd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.valid() ||
        (connect(fd.get(), address.get(), address.size) != 0 && errno != EINPROGRESS)) {
      error = errno;
      continue;
    }
    polls.push_back({fd.get(), POLLOUT, 0});
    sockets.push_back(std::move(fd));
  }
  for (size_t left = sockets.size(); left > 0;) {
    if (interrupted()) return absl::CancelledError("connecting");
    if (poll(polls.data(), polls.size(), kMomentMs) <= 0) continue;
    for (size_t i = 0; i < polls.size(); ++i) {
      if (polls[i].fd < 0 || polls[i].revents == 0) continue;
      socklen_t size = sizeof error;
      getsockopt(polls[i].fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error == 0) {
        const int on = 1;  // requests are small and waited for
        setsockopt(polls[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return std::move(sockets[i]);
      }
      polls[i].fd = -1;
      --left;
    }
  }
  // Whatever it is, a network may get over it.
  return absl::UnavailableError(
      fmt::format("connecting: {}{}", std::generic_category().message(error),
                  error == ECONNREFUSED ? ": nothing listens at this port" : ""));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RtspConnection>> RtspConnection::Open(
    const std::string& host, uint16_t port, bool tls, std::function<bool()> interrupted) {
  ASSIGN_OR_RETURN(const std::vector<NetAddress> addresses, Resolve(host, port, interrupted));
  ASSIGN_OR_RETURN(Fd fd, Connect(addresses, interrupted));
  std::unique_ptr<RtspConnection> connection(
      new RtspConnection(std::move(fd), std::move(interrupted)));
  if (tls) RETURN_IF_ERROR(connection->StartTls(host));
  return connection;
}

absl::Status RtspConnection::StartTls(const std::string& host) {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  // Cameras of ten years ago speak TLS 1.0 with short keys. Who they are isn't proven either way.
  if (context_ != nullptr) {
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
  }
  if (context_ != nullptr) tls_.reset(SSL_new(context_.get()));
  if (tls_ == nullptr) return absl::ResourceExhaustedError("no memory for TLS");
  SSL_set_fd(tls_.get(), fd_.get());
  const bool number = host.find_first_not_of("0123456789.") == std::string::npos ||
                      host.find(':') != std::string::npos;
  if (!number) SSL_set_tlsext_host_name(tls_.get(), host.c_str());
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(tls_.get());
    if (result == 1) return absl::OkStatus();
    const short wants = TlsWants(result);
    if (wants == 0) {
      return absl::UnavailableError("has no TLS at this port: write rtsp:// or another port");
    }
    RETURN_IF_ERROR(Await(wants));
  }
}

short RtspConnection::TlsWants(int result) const {
  const int error = SSL_get_error(tls_.get(), result);
  return error == SSL_ERROR_WANT_READ ? POLLIN : error == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
}

absl::Status RtspConnection::Await(short events, std::span<const int> others) {
  if (interrupted_()) return absl::CancelledError("interrupted");
  std::array<pollfd, 1 + kMaxOthers> polls{};
  polls[0] = {fd_.get(), events, 0};
  nfds_t count = 1;
  for (const int fd : others.first(std::min(others.size(), kMaxOthers))) {
    polls[count++] = {fd, POLLIN, 0};
  }
  poll(polls.data(), count, kMomentMs);
  return absl::OkStatus();
}

absl::StatusOr<size_t> RtspConnection::Read(char* data, size_t size, std::span<const int> others) {
  // Waiting asks this itself, but a camera may talk without a pause.
  if (interrupted_()) return absl::CancelledError("interrupted");
  for (bool waited = false;; waited = true) {
    short wants = 0;
    if (tls_ != nullptr) {
      ERR_clear_error();
      const int got = SSL_read(tls_.get(), data, static_cast<int>(size));
      if (got > 0) return static_cast<size_t>(got);
      wants = TlsWants(got);
    } else {
      const ssize_t got = recv(fd_.get(), data, size, 0);
      if (got > 0) return static_cast<size_t>(got);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) wants = POLLIN;
    }
    if (wants == 0) return absl::UnavailableError("closed the connection");
    if (waited) return 0;
    RETURN_IF_ERROR(Await(wants, others));
  }
}

absl::Status RtspConnection::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    short wants = 0;
    ssize_t sent = 0;
    if (tls_ != nullptr) {
      ERR_clear_error();
      sent = SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (sent <= 0) wants = TlsWants(static_cast<int>(sent));
    } else {
      sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && (errno == EAGAIN || errno == EINTR)) wants = POLLOUT;
    }
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
      continue;
    }
    if (wants == 0) return absl::UnavailableError("closed the connection");
    RETURN_IF_ERROR(Await(wants));
  }
  return absl::OkStatus();
}

void RtspConnection::WriteIfRoom(std::string_view bytes) {
  pollfd room{fd_.get(), POLLOUT, 0};  // TCP says so while a third of its buffer is free
  if (poll(&room, 1, 0) == 1) static_cast<void>(Write(bytes));
}

NetAddress RtspConnection::peer() const {
  NetAddress address;
  getpeername(fd_.get(), address.get(), &address.size);
  return address;
}

NetAddress RtspConnection::local() const {
  NetAddress address;
  getsockname(fd_.get(), address.get(), &address.size);
  return address;
}

}  // namespace gleaner::edge
