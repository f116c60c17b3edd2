#include "cloud/http/http_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "cloud/http/gzip.h"
#include "cloud/http/respond.h"
#include "cloud/http/response_head.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr int kMaxRequestsAConnection = 10'000;
constexpr size_t kPieceBytes = 256 << 10;  // of a body that is read as it is taken
constexpr size_t kStreamPieceBytes = 16 << 10;
// So much always passes: the connections bound what it comes to, 16 MiB.
constexpr size_t kShortBytes = 16 << 10;
constexpr milliseconds kLingerTimeout{1000};
constexpr size_t kLingerBytes = 4 << 20;
constexpr milliseconds kForever{-1};

constexpr std::string_view kTooMuchAtOnce =
    "Too many slow requests at once; come again in a second.";

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

HttpResponse NewResponse(const HttpServer::Handlers& handlers) {
  HttpResponse response;
  response.headers = handlers.headers;
  return response;
}

// Runs `handler` on a response of its own.
template <typename Handler>
HttpResponse Guard(const HttpServer::Handlers& handlers, const HttpRequest& request,
                   const Handler& handler) {
  try {
    HttpResponse response = NewResponse(handlers);
    handler(response);
    return response;
  } catch (const std::exception& error) {
    LOG_ERROR("{} {}: {}", request.method, request.path, error.what());
  } catch (...) {
    LOG_ERROR("{} {}: unknown exception", request.method, request.path);
  }
  return TransportResponse(handlers, request, 500,
                           "Something went wrong; the server's log says what.");
}

HttpResponse AnswerOf(const HttpServer::Handlers& handlers, HttpRequest& request) {
  if (request.method != "POST") {
    return Guard(handlers, request,
                 [&](HttpResponse& response) { handlers.get(request, response); });
  }
  const std::string& coding = request.headers.Get("Content-Encoding");
  if (coding == "gzip" || coding == "deflate") {
    auto body = Unzip(request.body, RequestReader::kMaxBodyBytes);
    if (!body.ok()) {
      const int status = absl::IsResourceExhausted(body.status()) ? 413 : 400;
      return TransportResponse(handlers, request, status,
                               fmt::format("the body: {}", Message(body.status())));
    }
    request.body = *std::move(body);
  }
  return Guard(handlers, request,
               [&](HttpResponse& response) { handlers.post(request, response); });
}

}  // namespace

HttpResponse TransportResponse(const HttpServer::Handlers& handlers, const HttpRequest& request,
                               int status, std::string_view why) {
  HttpResponse response = NewResponse(handlers);
  response.status = status;
  const bool is_post = request.method == "POST";
  response.headers.Set("Content-Type", is_post ? "application/json" : "text/plain");
  response.body = is_post ? ErrorJson(ConnectCode(status), why) : fmt::format("{}\n", why);
  if (status == 405) response.headers.Set("Allow", "GET, HEAD, POST");
  if (status == 503) response.headers.Set("Retry-After", "1");
  return response;
}

HttpConnection::HttpConnection(HttpLoop& loop, Socket socket, std::string remote_address)
    : loop_(loop), socket_(std::move(socket)), remote_address_(std::move(remote_address)) {}

void HttpConnection::Start() {
  loop_.connections.insert(shared_from_this());
  Enter(Phase::kHead, loop_.limits.idle);
  WaitToRead();
}

void HttpConnection::Enter(Phase phase, milliseconds timeout) {
  phase_ = phase;
  since_ = Clock::now();
  deadline_ = timeout == kForever ? Clock::time_point::max() : since_ + timeout;
}

bool HttpConnection::Hold(size_t bytes) {
  if (bytes <= kShortBytes) return true;
  // One that is longer than all together may be still passes alone.
  if (loop_.held_bytes > 0 && loop_.held_bytes + bytes > loop_.limits.held_bytes) return false;
  loop_.held_bytes += bytes;
  held_bytes_ += bytes;
  return true;
}

void HttpConnection::Close() {
  if (phase_ == Phase::kClosed) return;
  ReportDone();
  if (phase_ == Phase::kStreaming) --loop_.streams;
  loop_.held_bytes -= std::exchange(held_bytes_, 0);
  phase_ = Phase::kClosed;
  error_code ignored;
  socket_.close(ignored);  // ends what waits on it
  loop_.connections.erase(shared_from_this());
}

void HttpConnection::Tick(Clock::time_point now) {
  if (phase_ == Phase::kStreaming) PollStream();
  if (now < deadline_) return;
  if (phase_ == Phase::kBody) {
    return RespondRefusal(408, "the body did not come within 30 seconds");
  }
  Close();
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────────

void HttpConnection::WaitToRead() {
  if (std::exchange(read_waits_, true)) return;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code) {
    self->read_waits_ = false;
    // In between a deadline may have passed, and the refusal be under way.
    if (self->WantsToRead()) self->OnReadable();
  });
}

void HttpConnection::OnReadable() {
  for (;;) {
    error_code error;
    const size_t size = socket_.read_some(asio::buffer(loop_.scratch), error);
    if (error == asio::error::would_block) return WaitToRead();
    if (error) return Close();
    if (phase_ == Phase::kStreaming) return Close();  // nothing may follow a body without an end
    if (phase_ == Phase::kLingering) {
      if ((lingered_bytes_ += size) > kLingerBytes) return Close();
      continue;
    }
    if (phase_ == Phase::kHead && !reader_.begun()) {
      begun_ = Clock::now();
      deadline_ = begun_ + loop_.limits.head;
    }
    reader_.Feed({loop_.scratch.data(), size});
    if (Advance()) return;
  }
}

bool HttpConnection::Advance() {
  switch (reader_.state()) {
    case RequestReader::State::kHead:
      return false;
    case RequestReader::State::kBody:
      if (phase_ == Phase::kBody) return false;
      AskAdmission();
      return true;
    case RequestReader::State::kWhole:
      Serve();
      return true;
    case RequestReader::State::kRefused:
      RespondRefusal(reader_.refusal().status, reader_.refusal().why);
      return true;
  }
  return false;
}

// Before a body that is still on its way: a stranger's is not waited for.
void HttpConnection::AskAdmission() {
  if (!Hold(reader_.body_bytes())) return RespondRefusal(503, kTooMuchAtOnce);
  if (!loop_.handlers.admit) return ReadBody();
  Enter(Phase::kBusy, kForever);
  reader_.request().remote_address = remote_address_;
  asio::post(loop_.pool, [self = shared_from_this()] {
    const auto& handlers = self->loop_.handlers;
    const HttpRequest& request = self->reader_.request();
    bool admitted = false;
    auto refusal =
        std::make_shared<HttpResponse>(Guard(handlers, request, [&](HttpResponse& response) {
          admitted = handlers.admit(request, response);
        }));
    asio::post(self->loop_.io, [self, admitted, refusal] {
      if (self->phase_ == Phase::kClosed) return;
      if (admitted) return self->ReadBody();
      self->Respond(std::move(*refusal));
    });
  });
}

void HttpConnection::ReadBody() {
  if (reader_.expects_continue()) {
    // So few bytes fit whatever a socket holds already; if not, its reader is none.
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    error_code error;
    if (socket_.write_some(asio::buffer(kContinue.data(), kContinue.size()), error) !=
        kContinue.size()) {
      return Close();
    }
  }
  Enter(Phase::kBody, loop_.limits.body);
  OnReadable();
}

void HttpConnection::Serve() {
  HttpRequest& request = reader_.request();
  request.remote_address = remote_address_;
  if (held_bytes_ == 0 && !Hold(request.body.size())) return RespondRefusal(503, kTooMuchAtOnce);
  Enter(Phase::kBusy, kForever);
  asio::post(loop_.pool, [self = shared_from_this(), &request] {
    auto response = std::make_shared<HttpResponse>(AnswerOf(self->loop_.handlers, request));
    asio::post(self->loop_.io, [self, response] {
      if (self->phase_ != Phase::kClosed) self->Respond(std::move(*response));
    });
  });
}

// ── Answering ────────────────────────────────────────────────────────────────────────────────────

void HttpConnection::RespondRefusal(int status, std::string_view why) {
  Respond(TransportResponse(loop_.handlers, reader_.request(), status, why));
}

void HttpConnection::Respond(HttpResponse response) {
  const HttpRequest& request = reader_.request();
  const size_t holds = response.source ? std::min<uint64_t>(response.source->length, kPieceBytes)
                                       : (response.shared_body ? 0 : response.body.size());
  if (!Hold(holds) || (response.stream && loop_.streams >= loop_.limits.streams)) {
    response = TransportResponse(loop_.handlers, request, 503, kTooMuchAtOnce);
  }
  // In any other state something is left in the connection that is no request.
  keep_ = reader_.state() == RequestReader::State::kWhole && reader_.keep_alive() &&
          ++requests_ < kMaxRequestsAConnection && !loop_.stopping && !response.stream;
  response_ = std::move(response);
  body_ = response_.shared_body ? std::move(response_.shared_body)
                                : std::make_shared<const std::string>(std::move(response_.body));
  std::optional<uint64_t> length;
  if (!response_.stream) length = response_.source ? response_.source->length : body_->size();
  if (request.method == "HEAD" || HasNoBody(response_.status)) {
    body_.reset();
    response_.source.reset();
    response_.stream.reset();
  }
  const Persistence persistence = !keep_                ? Persistence::kClose
                                  : reader_.is_http10() ? Persistence::kKeepHttp10
                                                        : Persistence::kKeep;
  head_ = ResponseHead(response_.status, response_.headers, length, persistence);
  sent_ = source_offset_ = 0;
  answering_ = true;
  Enter(Phase::kSending, loop_.limits.write);
  if (Write()) OnSent();
}

bool HttpConnection::Write() {
  for (;;) {
    const size_t body_size = body_ ? body_->size() : 0;
    if (sent_ == head_.size() + body_size) return true;
    const size_t of_head = std::min(sent_, head_.size()), of_body = sent_ - of_head;
    const std::array<asio::const_buffer, 2> rest = {
        asio::buffer(head_.data() + of_head, head_.size() - of_head),
        asio::buffer(body_ ? body_->data() + of_body : nullptr, body_size - of_body)};
    error_code error;
    const size_t size = socket_.write_some(rest, error);
    if (size > 0) deadline_ = Clock::now() + loop_.limits.write;
    sent_ += size;
    if (error == asio::error::would_block) {
      write_waits_ = true;
      socket_.async_wait(Socket::wait_write, [self = shared_from_this()](error_code) {
        self->write_waits_ = false;
        if (self->phase_ != Phase::kClosed && self->Write()) self->OnSent();
      });
      return false;
    }
    if (error) {
      Close();
      return false;
    }
  }
}

void HttpConnection::OnSent() {
  if (phase_ == Phase::kStreaming) return PollStream();
  if (response_.source && source_offset_ < response_.source->length) return ReadPiece();
  Finish();
}

void HttpConnection::ReadPiece() {
  Enter(Phase::kBusy, kForever);
  asio::post(loop_.pool, [self = shared_from_this()] {
    const HttpBodySource& source = *self->response_.source;
    const uint64_t offset = self->source_offset_;
    auto piece = std::make_shared<std::string>();
    absl::Status read =
        source.read(offset, std::min<uint64_t>(source.length - offset, kPieceBytes), piece.get());
    asio::post(self->loop_.io, [self, piece, read = std::move(read)] {
      if (self->phase_ == Phase::kClosed) return;
      if (!read.ok() || piece->empty()) {
        LOG_ERROR("{}: {}", self->reader_.request().path,
                  read.ok() ? "the body ended early" : Message(read));
        return self->Close();  // the head is sent: all that is left is to cut the connection
      }
      self->source_offset_ += piece->size();
      self->head_.clear();
      self->body_ = piece;
      self->sent_ = 0;
      self->Enter(Phase::kSending, self->loop_.limits.write);
      if (self->Write()) self->OnSent();
    });
  });
}

void HttpConnection::ReportDone() {
  if (!std::exchange(answering_, false) || !loop_.handlers.done) return;
  const std::chrono::duration<double> took = Clock::now() - begun_;
  loop_.handlers.done(reader_.request(), response_, took.count());
}

void HttpConnection::Finish() {
  ReportDone();
  loop_.held_bytes -= std::exchange(held_bytes_, 0);
  body_.reset();
  head_ = {};
  if (response_.stream) return StartStream();
  response_ = {};
  if (!keep_ || loop_.stopping) return Linger();
  reader_.Next();
  begun_ = Clock::now();
  Enter(Phase::kHead, reader_.begun() ? loop_.limits.head : loop_.limits.idle);
  if (!Advance()) WaitToRead();
}

// Says the end and takes in what comes for a moment: the reset that follows unread bytes could
// overtake the answer.
void HttpConnection::Linger() {
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  Enter(Phase::kLingering, kLingerTimeout);
  OnReadable();
}

// ── Streams ──────────────────────────────────────────────────────────────────────────────────────

void HttpConnection::StartStream() {
  ++loop_.streams;
  reader_ = RequestReader();  // what it keeps of the request is needed no more
  Enter(Phase::kStreaming, kForever);
  WaitToRead();  // to see the client go
  PollStream();
}

void HttpConnection::PollStream() {
  while (phase_ == Phase::kStreaming && !write_waits_) {
    auto piece = std::make_shared<std::string>();
    const bool goes_on = response_.stream->Poll(kStreamPieceBytes, piece.get());
    if (goes_on && piece->empty()) {
      deadline_ = Clock::time_point::max();
      body_.reset();
      return;
    }
    body_ = std::move(piece);
    sent_ = 0;
    deadline_ = Clock::now() + loop_.limits.write;
    if (!goes_on) {
      --loop_.streams;
      response_.stream.reset();
      Enter(Phase::kSending, loop_.limits.write);
    }
    if (Write() && !goes_on) Finish();
  }
}

}  // namespace gleaner::cloud
