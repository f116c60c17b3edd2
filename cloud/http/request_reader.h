// Makes requests out of a connection's bytes, or refuses them.
//
// Boost.Beast parses (RFC 9112). What Beast, or a proxy in front, would let pass and another reader
// may understand otherwise is refused here: a second request hidden in what one side takes for a
// body must never be answered. So a head ends its lines with CR LF, has no other control characters
// and no folded lines; exactly one Host (HTTP/1.0: at most one); Content-Length at most once, in
// plain digits, or "Transfer-Encoding: chunked" alone. After a refusal nothing more of the
// connection is read as a request.
//
// No socket and no clock: the same bytes give the same requests however they are cut.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "cloud/http/http_message.h"

namespace gleaner::cloud {

class RequestReader {
 public:
  static constexpr size_t kMaxHeadBytes = 32 << 10;
  static constexpr size_t kMaxBodyBytes = 1 << 20;
  static constexpr size_t kMaxPathBytes = 1024;
  static constexpr size_t kMaxTargetBytes = 8 << 10;
  // A chunk's extensions; also all trailers together, which nobody here reads.
  static constexpr size_t kMaxChunkLineBytes = 4 << 10;

  enum class State {
    kHead,     // wants more of a head
    kBody,     // the head is in request(); wants more of the body
    kWhole,    // request() is all there; Next() reads on
    kRefused,  // for good; refusal() says why
  };
  struct Refusal {
    int status = 400;
    std::string why;  // for the client: a sentence
  };

  RequestReader();
  RequestReader(RequestReader&&) noexcept;
  RequestReader& operator=(RequestReader&&) noexcept;
  ~RequestReader();

  State state() const { return state_; }
  // Takes in what has come. Bytes beyond a whole request are kept for the next one.
  State Feed(std::string_view bytes);
  // After kWhole: forgets this request and starts on the next with what is here of it.
  State Next();

  // Some of a head is here.
  bool begun() const { return !input_.empty(); }
  // From kBody on; what is known of it in kRefused. The body is in it in kWhole.
  HttpRequest& request() { return request_; }
  const Refusal& refusal() const { return refusal_; }
  // From kBody on: how much body may come at most.
  uint64_t body_bytes() const { return body_bytes_; }
  // The client waits for a word before it sends the body.
  bool expects_continue() const { return expects_continue_; }
  // Whether another request may follow in this connection, by what the client said and by how it is
  // framed.
  bool keep_alive() const { return keep_alive_; }
  // It spoke HTTP/1.0: keeping the connection must be said.
  bool is_http10() const { return is_http10_; }

 private:
  struct Parser;
  State Refuse(int status, std::string why);
  State ReadHead();
  State TakeHead(std::string_view head);
  State ReadBody();

  State state_ = State::kHead;
  std::string input_;   // not used up yet
  size_t scanned_ = 0;  // so much of a head is known to be clean
  HttpRequest request_;
  Refusal refusal_;
  std::unique_ptr<Parser> parser_;  // while a request is read
  uint64_t body_bytes_ = 0;
  bool expects_continue_ = false;
  bool keep_alive_ = false;
  bool is_http10_ = false;
};

}  // namespace gleaner::cloud
