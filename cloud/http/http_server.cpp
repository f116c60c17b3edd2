#include "cloud/http/http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "cloud/http/connection_stream.h"
#include "cloud/http/respond.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

using std::chrono::steady_clock;

constexpr size_t kMaxBodyBytes = 1 << 20;
constexpr size_t kPieceBytes = 256 << 10;  // of a body that is read as it is taken
constexpr size_t kMaxConnections = 512;
constexpr size_t kMaxPathBytes = 1024;
constexpr int kMaxRequestsAConnection = 10'000;
constexpr size_t kThreadsKeptFree = 8;
// Most of what is shorter fits into a socket's buffers and goes at once, however slow the reader
// is; what does not takes a place of the long ones when it has to wait.
constexpr size_t kLongAnswerBytes = 256 << 10;
constexpr std::chrono::seconds kIdleTimeout{30};
constexpr std::chrono::seconds kStopGrace{2};

struct Connection {
  Connection(Fd socket, std::string address, int port, std::function<bool()> may_wait)
      : stream(std::move(socket), std::move(address), port, std::move(may_wait)),
        idle_since(steady_clock::now()) {}

  ConnectionStream stream;
  int requests = 0;
  bool idle = true;
  steady_clock::time_point idle_since;
};

// What the request that this thread is answering needs beyond the library's own structures.
struct Current {
  steady_clock::time_point begun;
  // What follows in the connection can't be trusted to be a request. So until the head is read and
  // found good.
  bool close = true;
  bool malformed = false;
  // The client may take its time with this request; see Engine::TakeLong.
  bool is_long = false;
  bool refused = false;
};
thread_local Current current;

std::pair<std::string, int> PeerOf(const sockaddr_storage& peer) {
  char text[INET6_ADDRSTRLEN] = "";
  if (peer.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(peer);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return {text, ntohs(v4.sin_port)};
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(peer);
  inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
  return {text, ntohs(v6.sin6_port)};
}

std::string_view StatusText(int status) {
  switch (status) {
    case 400:
      return "That is not a request this server understands.";
    case 404:
      return "Not found.";
    case 405:
      return "Only GET, HEAD and POST are known here.";
    case 413:
      return "The body is too long: at most 1 MiB.";
    case 414:
      return "The address is too long.";
    case 415:
      return "That is not a kind of body this server takes.";
    case 416:
      return "The range is malformed.";
    case 503:
      return "Too many slow requests at once; come again in a second.";
    default:
      return "Something went wrong; the server's log says what.";
  }
}

// As the Connect protocol calls what the transport itself refuses.
std::string_view ConnectCode(int status) {
  switch (status) {
    case 413:
      return "resource_exhausted";
    case 503:
      return "unavailable";
    default:
      return status < 500 ? "invalid_argument" : "internal";
  }
}

HttpRequest FromLibrary(const httplib::Request& request) {
  HttpRequest own;
  own.method = request.method;
  own.path = request.path;
  own.query.insert(request.params.begin(), request.params.end());
  for (const auto& [name, value] : request.headers) own.headers.Add(name, value);
  own.remote_address = request.remote_addr;
  return own;
}

// Not the status.
void ToLibrary(const std::string& path, HttpResponse answer, httplib::Response* response) {
  response->headers.clear();
  for (const auto& [name, value] : answer.headers) response->set_header(name, value);
  const std::string type = answer.headers.Get("Content-Type");
  if (answer.source) {
    response->headers.erase("Content-Type");  // the library adds it once more
    response->set_content_provider(
        answer.source->length, type,
        [path, read = std::move(answer.source->read), piece = std::string()](
            size_t offset, size_t length, httplib::DataSink& sink) mutable {
          const absl::Status status = read(offset, std::min(length, kPieceBytes), &piece);
          if (!status.ok()) {
            LOG_ERROR("{}: {}", path, Message(status));
            return false;  // the head is sent: all that is left is to cut the connection
          }
          return sink.write(piece.data(), piece.size());
        });
    return;
  }
  auto body = answer.shared_body != nullptr
                  ? std::move(answer.shared_body)
                  : std::make_shared<const std::string>(std::move(answer.body));
  if (body->empty()) return;
  response->headers.erase("Content-Type");
  const size_t size = body->size();
  response->set_content_provider(
      size, type, [body = std::move(body)](size_t offset, size_t length, httplib::DataSink& sink) {
        return sink.write(body->data() + offset, length);
      });
}

// Once the head is read and before anything else looks at it. True if a body follows of which not
// all is among the `buffered` bytes that are here.
bool Prepare(httplib::Request& request, size_t buffered) {
  current.close = false;
  request.ranges.clear();
  const bool has_length = request.has_header("Content-Length");
  const std::string coding = request.get_header_value("Transfer-Encoding");
  const std::string length = request.get_header_value("Content-Length");
  // Two ways to say where a body ends, or one that we don't know, is how requests are smuggled past
  // a proxy.
  if (request.get_header_value_count("Content-Length") > 1 ||
      request.get_header_value_count("Transfer-Encoding") > 1 ||
      (!coding.empty() && (has_length || coding != "chunked")) ||
      (has_length && (length.empty() || length.size() > 18 ||
                      length.find_first_not_of("0123456789") != std::string::npos))) {
    current.malformed = current.close = true;
  }
  if (request.method != "POST") {
    // The library leaves their bodies in the connection.
    if (!coding.empty() || (has_length && length != "0")) current.close = true;
    return false;
  }
  if (current.malformed) return false;
  if (!has_length && coding.empty()) {
    request.set_header("Content-Length",
                       "0");  // or the library would read until the connection ends
    return false;
  }
  return !has_length || std::stoull(length) > buffered;
}

}  // namespace

class HttpServer::Engine : public httplib::Server {
 public:
  Engine(Fd listening, uint16_t port, size_t threads, HttpServer::Handlers handlers)
      : port_(port),
        max_long_(threads - std::min(kThreadsKeptFree, threads / 2)),
        listening_(std::move(listening)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    svr_sock_ =
        listening_.get();  // the library ends what it is sending once this is INVALID_SOCKET
    keep_alive_timeout_sec_ = kIdleTimeout.count();
    keep_alive_max_count_ = kMaxRequestsAConnection;
    set_default_headers({handlers.headers.begin(), handlers.headers.end()});
    SetHandlers(std::move(handlers));
    Watch(listening_.get(), EPOLLIN, EPOLL_CTL_ADD);
    Watch(wake_.get(), EPOLLIN, EPOLL_CTL_ADD);
    for (size_t i = 0; i < threads; ++i) workers_.emplace_back([this] { Work(); });
    acceptor_ = std::jthread([this] { Accept(); });
  }

  ~Engine() override { Stop(); }

  uint16_t port() const { return port_; }

  void Stop() {
    {
      std::unique_lock lock(mutex_);
      if (stopping_) return;
      stopping_ = true;
    }
    svr_sock_ = INVALID_SOCKET;
    const uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof(one));
    acceptor_.join();
    listening_.Reset();
    {
      std::unique_lock lock(mutex_);
      ready_.clear();
      work_.notify_all();
      // Those that wait for a request end now, those that answer one get the grace.
      if (!work_.wait_for(lock, kStopGrace, [this] { return busy_ == 0; })) {
        for (auto& [fd, connection] : connections_) ::shutdown(fd, SHUT_RDWR);
      }
    }
    for (std::jthread& worker : workers_) worker.join();
    connections_.clear();
  }

 private:
  void SetHandlers(HttpServer::Handlers handlers) {
    auto shared = std::make_shared<HttpServer::Handlers>(std::move(handlers));
    set_pre_routing_handler(
        [this, shared](const httplib::Request& request, httplib::Response& response) {
          if (current.malformed) {
            response.status = 400;
          } else if (current.refused) {
            Refuse(response);
            current.close = true;
          } else if (request.path.size() > kMaxPathBytes) {
            // Also because std::regex, which the library routes with, recurses once a character.
            response.status = 414;
            current.close = true;
          } else if (request.method == "GET" || request.method == "HEAD") {
            Answer(FromLibrary(request), response, shared->headers, shared->get);
          } else if (request.method == "POST") {
            return HandlerResponse::Unhandled;
          } else {
            response.status = 405;
            response.set_header("Allow", "GET, HEAD, POST");
            current.close = true;
          }
          return HandlerResponse::Handled;
        });
    Post(R"([\s\S]*)", [this, shared](const httplib::Request& request, httplib::Response& response,
                                      const httplib::ContentReader& read) {
      if (request.is_multipart_form_data()) {
        // The library would call back with parts, and nobody here wants any.
        response.status = 415;
        current.close = true;
        return;
      }
      std::string body;
      bool too_long = false;
      const bool whole = read([&](const char* data, size_t size) {
        too_long = body.size() + size > kMaxBodyBytes;
        if (!too_long) body.append(data, size);
        return !too_long;
      });
      EndLong();  // its body is here, or not wanted
      if (!whole) {
        response.status = too_long ? 413 : 400;
        current.close = true;
        return;
      }
      HttpRequest own = FromLibrary(request);
      own.body = std::move(body);
      Answer(own, response, shared->headers, shared->post);
    });
    set_exception_handler([](const httplib::Request& request, httplib::Response& response,
                             std::exception_ptr problem) {
      try {
        std::rethrow_exception(std::move(problem));
      } catch (const std::exception& error) {
        LOG_ERROR("{} {}: {}", request.method, request.path, error.what());
      } catch (...) {
        LOG_ERROR("{} {}: unknown exception", request.method, request.path);
      }
      response.status = 500;
    });
    set_error_handler(
        HandlerWithResponse([](const httplib::Request& request, httplib::Response& response) {
          if (!response.body.empty() || response.content_provider_) {
            return HandlerResponse::Unhandled;
          }
          const std::string_view text = StatusText(response.status);
          if (request.method == "POST") {  // the gateway's callers read errors so
            response.set_content(ErrorJson(ConnectCode(response.status), text), "application/json");
          } else {
            response.set_content(fmt::format("{}\n", text), "text/plain");
          }
          return HandlerResponse::Handled;
        }));
    set_post_routing_handler([](const httplib::Request&, httplib::Response& response) {
      if (!current.close) return;
      response.headers.erase("Keep-Alive");
      response.headers.erase("Connection");
      response.set_header("Connection", "close");
    });
    set_logger([shared](const httplib::Request& request, const httplib::Response& response) {
      const std::chrono::duration<double> took = steady_clock::now() - current.begun;
      if (!shared->done) return;
      HttpResponse answer;
      answer.status = response.status;
      shared->done(FromLibrary(request), answer, took.count());
    });
  }

  // A request that may hold its thread for as long as its client likes takes one of the places for
  // such, so that there is always a thread for the others. False if there is none.
  bool TakeLong() {
    if (++long_ > max_long_) {
      --long_;
      return false;
    }
    return current.is_long = true;
  }
  void EndLong() {
    if (std::exchange(current.is_long, false)) --long_;
  }

  static void Refuse(httplib::Response& response) {
    response.status = 503;
    response.set_header("Retry-After", "1");
  }

  // An answer that is long needs a place for such.
  template <typename Handler>
  void Answer(const HttpRequest& request, httplib::Response& response, const HttpHeaders& headers,
              const Handler& handler) {
    HttpResponse answer;
    answer.headers = headers;
    handler(request, answer);
    const uint64_t length = answer.source        ? answer.source->length
                            : answer.shared_body ? answer.shared_body->size()
                                                 : answer.body.size();
    if (length > kLongAnswerBytes && !TakeLong()) return Refuse(response);
    response.status = answer.status;
    ToLibrary(request.path, std::move(answer), &response);
  }

  void Watch(int fd, uint32_t events, int operation) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    ::epoll_ctl(epoll_.get(), operation, fd, &event);
  }

  // The acceptor's thread: new connections and idle ones.
  void Accept() {
    std::vector<epoll_event> events(64);
    for (;;) {
      const bool any = [this] {
        std::lock_guard lock(mutex_);
        return !connections_.empty();
      }();
      const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                     any ? 1000 : -1);
      std::lock_guard lock(mutex_);
      if (stopping_) {
        std::erase_if(connections_, [](const auto& item) { return item.second->idle; });
        return;
      }
      for (int i = 0; i < count; ++i) {
        const int fd = events[i].data.fd;
        if (fd == listening_.get()) {
          TakeConnection();
        } else if (const auto found = connections_.find(fd);
                   found != connections_.end() && found->second->idle) {
          found->second->idle = false;
          ready_.push_back(found->second.get());
          work_.notify_one();
        }
      }
      const auto long_ago = steady_clock::now() - kIdleTimeout;
      std::erase_if(connections_, [&](const auto& item) {
        const Connection& connection = *item.second;
        return connection.idle && (connection.idle_since < long_ago ||
                                   connection.stream.HeadIsLate(steady_clock::now()));
      });
    }
  }

  // Under the lock.
  void TakeConnection() {
    sockaddr_storage peer{};
    socklen_t size = sizeof(peer);
    Fd socket(::accept4(listening_.get(), reinterpret_cast<sockaddr*>(&peer), &size,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) {
      // Out of descriptors: the connection stays in the backlog; don't spin on it.
      if (errno == EMFILE || errno == ENFILE) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
      return;
    }
    const int yes = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (connections_.size() >= kMaxConnections && !CloseOldestIdle()) {
      static constexpr std::string_view kBusy =
          "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n"
          "Retry-After: 1\r\n\r\n";
      (void)::send(socket.get(), kBusy.data(), kBusy.size(), MSG_NOSIGNAL);
      return;
    }
    const int fd = socket.get();
    auto [address, port] = PeerOf(peer);
    connections_[fd] =
        std::make_unique<Connection>(std::move(socket), std::move(address), port,
                                     [this] { return current.is_long || TakeLong(); });
    Watch(fd, EPOLLIN | EPOLLONESHOT, EPOLL_CTL_ADD);
  }

  bool CloseOldestIdle() {
    auto oldest = connections_.end();
    for (auto it = connections_.begin(); it != connections_.end(); ++it) {
      if (it->second->idle &&
          (oldest == connections_.end() || it->second->idle_since < oldest->second->idle_since)) {
        oldest = it;
      }
    }
    if (oldest == connections_.end()) return false;
    connections_.erase(oldest);
    return true;
  }

  // A worker's thread.
  void Work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, [this] { return !ready_.empty() || stopping_; });
      if (stopping_) return;
      Connection* connection = ready_.front();
      ready_.pop_front();
      ++busy_;
      lock.unlock();
      const bool keep = Serve(*connection);
      lock.lock();
      --busy_;
      const int fd = connection->stream.fd();
      if (keep && !stopping_) {
        connection->idle = true;
        connection->idle_since = steady_clock::now();
        Watch(fd, EPOLLIN | EPOLLONESHOT, EPOLL_CTL_MOD);
      } else {
        connections_.erase(fd);
      }
      if (stopping_) work_.notify_all();
    }
  }

  // Answers what has come. False if the connection is to be closed.
  bool Serve(Connection& connection) {
    ConnectionStream& stream = connection.stream;
    for (;;) {
      if (const auto head = stream.ReadHead(); head != ConnectionStream::Head::kWhole) {
        return head == ConnectionStream::Head::kPartial;
      }
      stream.BeginRequest();
      current = {.begun = stream.request_begun()};
      const bool last =
          ++connection.requests >= kMaxRequestsAConnection || svr_sock_ == INVALID_SOCKET;
      bool closed = false;
      const bool answered =
          process_request(stream, last, closed, [this, &stream](httplib::Request& request) {
            stream.EndHead();
            current.refused = Prepare(request, stream.buffered_bytes()) && !TakeLong();
          });
      EndLong();
      if (current.close && !current.refused) stream.Linger();
      if (!answered || closed || last || current.close) return false;
    }
  }

  const uint16_t port_;
  const size_t max_long_;
  std::atomic<size_t> long_ = 0;
  Fd listening_;
  const Fd epoll_;
  const Fd wake_;

  std::mutex mutex_;
  std::condition_variable work_;
  std::map<int, std::unique_ptr<Connection>> connections_;  // by descriptor
  std::deque<Connection*> ready_;                           // a request waits in them
  size_t busy_ = 0;
  bool stopping_ = false;
  std::vector<std::jthread> workers_;
  std::jthread acceptor_;
};

HttpServer::HttpServer(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
HttpServer::~HttpServer() = default;
uint16_t HttpServer::port() const { return engine_->port(); }
void HttpServer::Stop() { engine_->Stop(); }

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const ListenAddress& address,
                                                              size_t threads, Handlers handlers) {
  uint16_t port = 0;
  ASSIGN_OR_RETURN(Fd listening, ListenOn(address, &port));
  return std::unique_ptr<HttpServer>(new HttpServer(
      std::make_unique<Engine>(std::move(listening), port, threads, std::move(handlers))));
}

}  // namespace gleaner::cloud
