// One connection of an HttpServer: reads a request, has it answered, sends the answer, and so on.
// Internal to the transport: this is where Boost.Asio is seen.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "cloud/http/http_server.h"
#include "cloud/http/request_reader.h"

namespace gleaner::cloud {

class HttpConnection;

// What the connections of one server share. All but `handlers`, `limits` and `pool` belongs to the
// loop's thread.
struct HttpLoop {
  HttpLoop(const HttpServer::Limits& limits, HttpServer::Handlers handlers)
      : limits(limits), handlers(std::move(handlers)), pool(limits.threads) {}

  const HttpServer::Limits limits;
  const HttpServer::Handlers handlers;
  boost::asio::io_context io{1};
  boost::asio::thread_pool pool;
  std::unordered_set<std::shared_ptr<HttpConnection>> connections;
  size_t streams = 0;     // of the connections
  size_t held_bytes = 0;  // see HttpConnection::Hold
  bool stopping = false;
  std::array<char, 16 << 10> scratch;  // what a read goes into first
};

// On the loop's thread, but for what it gives to the pool: while a request is there (kBusy), the
// connection waits and leaves the request alone.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  using Clock = std::chrono::steady_clock;
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp,
                                                  boost::asio::io_context::executor_type>;

  enum class Phase {
    kHead,       // waits for a request, or for the rest of a head
    kBody,       // waits for the rest of a body
    kBusy,       // the pool works for it
    kSending,    // an answer is under way
    kStreaming,  // so is one without an end
    kLingering,  // the last answer is sent: waits for the client to close
    kClosed,
  };

  // `socket` is connected and non-blocking. `loop` must outlive it; it adds itself to
  // loop.connections and leaves it when it closes.
  HttpConnection(HttpLoop& loop, Socket socket, std::string remote_address);
  void Start();

  Phase phase() const { return phase_; }
  // When it came into this phase.
  Clock::time_point since() const { return since_; }
  // It is the client's turn to send or to take something.
  bool WaitsForPeer() const { return WantsToRead() || write_waits_; }

  // What time brings: deadlines, and streams that want to say something.
  void Tick(Clock::time_point now);
  // Sends what its stream has, if it is one and nothing is under way.
  void PollStream();
  // Cuts it, whatever is under way.
  void Close();

 private:
  void Enter(Phase phase, std::chrono::milliseconds timeout);
  bool WantsToRead() const {
    return phase_ == Phase::kHead || phase_ == Phase::kBody || phase_ == Phase::kStreaming ||
           phase_ == Phase::kLingering;
  }
  // Counts memory that this exchange holds while the peer takes its time. False if there is no
  // room left for it.
  bool Hold(size_t bytes);

  void WaitToRead();
  void OnReadable();
  // Goes on with what the reader has. False if it needs more bytes first.
  bool Advance();
  void AskAdmission();
  void ReadBody();
  void Serve();
  void Respond(HttpResponse response);
  void RespondRefusal(int status, std::string_view why);
  // True once all of head_ and body_ is sent; else the connection waits, or is closed.
  bool Write();
  void OnSent();
  void ReadPiece();
  void Finish();
  void StartStream();
  void Linger();
  void ReportDone();

  HttpLoop& loop_;
  Socket socket_;
  const std::string remote_address_;
  RequestReader reader_;
  Phase phase_ = Phase::kHead;
  Clock::time_point since_;
  Clock::time_point deadline_ = Clock::time_point::max();  // of the phase
  int requests_ = 0;

  // The exchange under way.
  Clock::time_point begun_;  // its first byte came
  size_t held_bytes_ = 0;
  bool answering_ = false;  // response_ is being sent and not reported yet
  bool keep_ = false;       // another request may follow
  HttpResponse response_;
  std::string head_;                         // sent first …
  std::shared_ptr<const std::string> body_;  // … and then this; null for none
  size_t sent_ = 0;                          // of both
  uint64_t source_offset_ = 0;               // so much of response_.source is in body_ or sent
  bool read_waits_ = false;                  // for the socket to have something
  bool write_waits_ = false;                 // for the socket to take more
  size_t lingered_bytes_ = 0;
};

// An answer of the transport's own: as JSON for POST, whose callers read errors so, else as text.
HttpResponse TransportResponse(const HttpServer::Handlers& handlers, const HttpRequest& request,
                               int status, std::string_view why);

}  // namespace gleaner::cloud
