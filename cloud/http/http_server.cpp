#include "cloud/http/http_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <thread>
#include <vector>

#include "cloud/http/http_connection.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;
using Tcp = asio::ip::tcp;

constexpr milliseconds kTick{1000};
constexpr milliseconds kStreamsEvery{100};
constexpr milliseconds kOutOfDescriptors{10};
// Who has kept the server waiting for less is not sent away for another.
constexpr milliseconds kPatience{1000};
constexpr milliseconds kStopGrace{2000};
constexpr milliseconds kStopPoll{10};

std::string AddressOf(const sockaddr_storage& peer) {
  char text[INET6_ADDRSTRLEN] = "";
  const void* address =
      peer.ss_family == AF_INET
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(peer).sin_addr)
          : &reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
  inet_ntop(peer.ss_family, address, text, sizeof(text));
  return text;
}

}  // namespace

class HttpServer::Engine {
 public:
  Engine(Fd listening, uint16_t port, const Limits& limits, Handlers handlers)
      : port_(port),
        loop_(limits, std::move(handlers)),
        work_(loop_.io.get_executor()),
        acceptor_(loop_.io, Tcp::v4(), listening.Release()),
        accept_timer_(loop_.io),
        tick_timer_(loop_.io),
        stream_timer_(loop_.io) {
    WaitToAccept();
    WaitToTick();
    thread_ = std::jthread([this] { loop_.io.run(); });
  }

  ~Engine() { Stop(); }

  uint16_t port() const { return port_; }

  void WakeStreams() {
    if (woken_.exchange(true)) return;
    asio::post(loop_.io, [this] {
      if (loop_.stopping) return;
      stream_timer_.expires_at(streams_polled_ + kStreamsEvery);
      stream_timer_.async_wait([this](error_code error) {
        if (error) return;
        woken_ = false;  // before they look: what comes now wakes them once more
        streams_polled_ = std::chrono::steady_clock::now();
        for (const auto& connection : Connections()) connection->PollStream();
      });
    });
  }

  void Stop() {
    if (stopped_.exchange(true)) return;
    asio::post(loop_.io, [this] { BeginStop(); });
    thread_.join();
    loop_.pool.stop();  // those that still wait are asked by nobody any more
    loop_.pool.join();
  }

 private:
  using Phase = HttpConnection::Phase;

  // A copy: a connection that closes leaves the set.
  std::vector<std::shared_ptr<HttpConnection>> Connections() const {
    return {loop_.connections.begin(), loop_.connections.end()};
  }

  bool Ended() const { return loop_.stopping && loop_.connections.empty(); }

  void WaitToTick() {
    tick_timer_.expires_after(kTick);
    tick_timer_.async_wait([this](error_code error) {
      if (error) return;
      const auto now = std::chrono::steady_clock::now();
      for (const auto& connection : Connections()) connection->Tick(now);
      if (!Ended()) WaitToTick();
    });
  }

  void WaitToAccept() {
    acceptor_.async_wait(Tcp::acceptor::wait_read, [this](error_code error) {
      if (!error && !loop_.stopping) Accept();
    });
  }

  // By hand rather than by Asio, which would hand the descriptor on to the programs that we start.
  void Accept() {
    for (;;) {
      sockaddr_storage peer{};
      socklen_t size = sizeof(peer);
      Fd socket(::accept4(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&peer), &size,
                          SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (socket.valid()) {
        Take(std::move(socket), peer);
        continue;
      }
      if (errno == EAGAIN) return WaitToAccept();
      if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) continue;
      // The connection stays in the backlog: it must not keep the loop busy.
      accept_timer_.expires_after(kOutOfDescriptors);
      accept_timer_.async_wait([this](error_code error) {
        if (!error && !loop_.stopping) Accept();
      });
      return;
    }
  }

  void Take(Fd socket, const sockaddr_storage& peer) {
    const int yes = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (loop_.connections.size() - loop_.streams >= loop_.limits.connections && !MakeRoom()) {
      static constexpr std::string_view kBusy =
          "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n"
          "Retry-After: 1\r\n\r\n";
      (void)::send(socket.get(), kBusy.data(), kBusy.size(), MSG_NOSIGNAL);
      return;
    }
    const Tcp protocol = peer.ss_family == AF_INET ? Tcp::v4() : Tcp::v6();
    HttpConnection::Socket owned(loop_.io, protocol, socket.Release());
    owned.native_non_blocking(true);
    owned.non_blocking(true);
    std::make_shared<HttpConnection>(loop_, std::move(owned), AddressOf(peer))->Start();
  }

  // Closes the connection that can be spared best. False if none can.
  bool MakeRoom() {
    const auto before = [](const auto& a, const auto& b) { return a->since() < b->since(); };
    const auto longest = [&](const auto& may_go) {
      std::shared_ptr<HttpConnection> found;
      for (const auto& connection : loop_.connections) {
        if (may_go(*connection) && (!found || before(connection, found))) found = connection;
      }
      return found;
    };
    auto spared = longest([](const HttpConnection& one) { return one.phase() == Phase::kHead; });
    if (!spared) {
      const auto latest = std::chrono::steady_clock::now() - kPatience;
      spared = longest([&](const HttpConnection& one) {
        return one.phase() != Phase::kStreaming && one.WaitsForPeer() && one.since() < latest;
      });
    }
    if (!spared) return false;
    spared->Close();
    return true;
  }

  void BeginStop() {
    loop_.stopping = true;
    error_code ignored;
    acceptor_.close(ignored);
    for (const auto& connection : Connections()) {
      const Phase phase = connection->phase();
      if (phase == Phase::kHead || phase == Phase::kStreaming || phase == Phase::kLingering) {
        connection->Close();
      }
    }
    stop_by_ = std::chrono::steady_clock::now() + kStopGrace;
    WaitToEnd();
  }

  void WaitToEnd() {
    if (std::chrono::steady_clock::now() >= stop_by_) {
      for (const auto& connection : Connections()) connection->Close();
    }
    if (Ended()) {  // nothing waits any more, and the loop ends by itself
      tick_timer_.cancel();
      stream_timer_.cancel();
      work_.reset();
      return;
    }
    accept_timer_.expires_after(kStopPoll);
    accept_timer_.async_wait([this](error_code) { WaitToEnd(); });
  }

  const uint16_t port_;
  HttpLoop loop_;
  // From here on: the loop's thread only, but for what is atomic.
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  Tcp::acceptor acceptor_;
  asio::steady_timer accept_timer_;
  asio::steady_timer tick_timer_;
  asio::steady_timer stream_timer_;
  std::chrono::steady_clock::time_point streams_polled_;
  std::chrono::steady_clock::time_point stop_by_;
  std::atomic<bool> woken_ = false;
  std::atomic<bool> stopped_ = false;
  std::jthread thread_;
};

HttpServer::HttpServer(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
HttpServer::~HttpServer() = default;
uint16_t HttpServer::port() const { return engine_->port(); }
void HttpServer::WakeStreams() { engine_->WakeStreams(); }
void HttpServer::Stop() { engine_->Stop(); }

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const ListenAddress& address,
                                                              const Limits& limits,
                                                              Handlers handlers) {
  uint16_t port = 0;
  ASSIGN_OR_RETURN(Fd listening, ListenOn(address, &port));
  return std::unique_ptr<HttpServer>(new HttpServer(
      std::make_unique<Engine>(std::move(listening), port, limits, std::move(handlers))));
}

}  // namespace gleaner::cloud
