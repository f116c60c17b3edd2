#include "cloud/http/request_reader.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "absl/strings/match.h"
#include "cloud/http/request_target.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

namespace http = boost::beast::http;

bool IsDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Where the body ends, or why that is in doubt. Two ways to say it, or one that not everybody reads
// alike, is how requests are smuggled past a proxy.
std::string FramingFault(const HttpHeaders& headers, bool is_http10) {
  const size_t lengths = headers.Count("Content-Length");
  const size_t codings = headers.Count("Transfer-Encoding");
  if (lengths > 1) return "Content-Length is there more than once";
  if (lengths == 1 &&
      (!IsDigits(headers.Get("Content-Length")) || headers.Get("Content-Length").size() > 18)) {
    return "Content-Length is not a plain number";
  }
  if (codings == 0) return "";
  if (lengths > 0) return "Content-Length and Transfer-Encoding are both there";
  if (codings > 1 || !absl::EqualsIgnoreCase(headers.Get("Transfer-Encoding"), "chunked")) {
    return "Transfer-Encoding is not \"chunked\" alone";
  }
  return is_http10 ? "HTTP/1.0 knows no Transfer-Encoding" : "";
}

std::string HostFault(const HttpHeaders& headers, bool is_http10) {
  const size_t hosts = headers.Count("Host");
  if (hosts > 1) return "Host is there more than once";
  if (hosts == 0 && !is_http10) return "Host is missing";
  return IsHost(headers.Get("Host")) ? "" : "Host is not a name or address with a port";
}

}  // namespace

struct RequestReader::Parser {
  Parser() {
    beast.header_limit(kMaxHeadBytes);
    beast.body_limit(kMaxBodyBytes);
    beast.eager(true);
    beast.on_chunk_header(check_extensions);
  }
  size_t FieldBytes() const {
    size_t bytes = 0;
    for (const auto& field : beast.get())
      bytes += field.name_string().size() + field.value().size();
    return bytes;
  }

  std::function<void(uint64_t, boost::beast::string_view, boost::beast::error_code&)>
      check_extensions = [](uint64_t, boost::beast::string_view extensions, auto& error) {
        if (extensions.size() > kMaxChunkLineBytes) error = http::error::bad_chunk_extension;
      };
  http::request_parser<http::string_body> beast;
  size_t head_bytes = 0;  // of its fields; trailers come on top
};

RequestReader::RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;
RequestReader::~RequestReader() = default;

RequestReader::State RequestReader::Refuse(int status, std::string why) {
  refusal_ = {status, std::move(why)};
  keep_alive_ = false;
  parser_.reset();
  input_ = {};
  return state_ = State::kRefused;
}

RequestReader::State RequestReader::Feed(std::string_view bytes) {
  if (state_ == State::kRefused) return state_;
  input_ += bytes;
  if (state_ == State::kHead) return ReadHead();
  if (state_ == State::kBody) return ReadBody();
  return state_;
}

RequestReader::State RequestReader::Next() {
  request_ = {};
  expects_continue_ = keep_alive_ = is_http10_ = false;
  body_bytes_ = 0;
  state_ = State::kHead;
  if (input_.empty()) input_.shrink_to_fit();
  return ReadHead();
}

// Looks at each byte once, however slowly they come, so that what is wrong is refused at once
// rather than waited on.
RequestReader::State RequestReader::ReadHead() {
  for (; scanned_ < input_.size(); ++scanned_) {
    if (scanned_ >= kMaxHeadBytes) return Refuse(400, "the head is longer than 32 KiB");
    const auto c = static_cast<unsigned char>(input_[scanned_]);
    const char before = scanned_ > 0 ? input_[scanned_ - 1] : '\0';
    if (before == '\r' && c != '\n') return Refuse(400, "the head has a carriage return alone");
    if (before == '\n' && (c == ' ' || c == '\t')) return Refuse(400, "the head has a folded line");
    if (c == '\n') {
      if (before != '\r') return Refuse(400, "the head has a line feed alone");
      if (scanned_ >= 3 && input_[scanned_ - 2] == '\n') {
        const std::string head = input_.substr(0, scanned_ + 1);
        input_.erase(0, scanned_ + 1);
        scanned_ = 0;
        return TakeHead(head);
      }
    } else if ((c < ' ' && c != '\r' && c != '\t') || c == 0x7f) {
      return Refuse(400, "the head has a control character");
    }
  }
  return state_;
}

RequestReader::State RequestReader::TakeHead(std::string_view head) {
  parser_ = std::make_unique<Parser>();
  auto& beast = parser_->beast;
  boost::beast::error_code error;
  const size_t used = beast.put(boost::asio::buffer(head.data(), head.size()), error);
  const auto& message = beast.get();
  request_.method = std::string(message.method_string());
  for (const auto& field : message) {
    const auto name = field.name_string(), value = field.value();
    request_.headers.Add({name.data(), name.size()}, {value.data(), value.size()});
  }
  if (error == http::error::body_limit) {
    return Refuse(413, "the body is longer than 1 MiB");
  }
  if ((error && error != http::error::need_more) || used != head.size() ||
      !beast.is_header_done()) {
    return Refuse(400, "that is not a request of HTTP/1.1: " + error.message());
  }
  is_http10_ = message.version() < 11;
  keep_alive_ = message.keep_alive();
  if (std::string fault = FramingFault(request_.headers, is_http10_); !fault.empty()) {
    return Refuse(400, std::move(fault));
  }
  if (std::string fault = HostFault(request_.headers, is_http10_); !fault.empty()) {
    return Refuse(400, std::move(fault));
  }
  const std::string_view target(message.target().data(), message.target().size());
  if (target.size() > kMaxTargetBytes) return Refuse(414, "the address is longer than 8 KiB");
  if (request_.method != "GET" && request_.method != "HEAD" && request_.method != "POST") {
    // Also before the target is looked at, which is something else for some of them.
    return Refuse(405, "only GET, HEAD and POST are known here");
  }
  const absl::Status parsed = ParseRequestTarget(target, request_.headers.Get("Host"), &request_);
  if (!parsed.ok()) return Refuse(400, std::string(Message(parsed)));
  if (request_.path.size() > kMaxPathBytes) return Refuse(414, "the path is longer than 1 KiB");
  const std::string& expected = request_.headers.Get("Expect");
  if (!expected.empty() && !is_http10_) {
    if (!absl::EqualsIgnoreCase(expected, "100-continue")) {
      return Refuse(417, "Expect is something else than 100-continue");
    }
    expects_continue_ = true;
  }
  if (beast.is_done()) {
    parser_.reset();
    return state_ = State::kWhole;
  }
  if (request_.method != "POST") {
    // A body that nobody asked for is not read, and so nothing behind it either.
    keep_alive_ = false;
    parser_.reset();
    input_ = {};
    return state_ = State::kWhole;
  }
  parser_->head_bytes = parser_->FieldBytes();
  body_bytes_ = beast.chunked() ? kMaxBodyBytes : *beast.content_length_remaining();
  state_ = State::kBody;
  return ReadBody();
}

RequestReader::State RequestReader::ReadBody() {
  auto& beast = parser_->beast;
  boost::beast::error_code error;
  const size_t used = beast.put(boost::asio::buffer(input_.data(), input_.size()), error);
  input_.erase(0, used);
  if (error == http::error::body_limit) return Refuse(413, "the body is longer than 1 MiB");
  if (error && error != http::error::need_more) {
    return Refuse(400, "the body is not chunked as HTTP/1.1 says: " + error.message());
  }
  // Beast takes a chunk's first line and the trailers when they are whole: until then they wait in
  // input_, with line ends and spaces that the bound itself doesn't count.
  if ((!beast.is_done() && input_.size() > 2 * kMaxChunkLineBytes) ||
      parser_->FieldBytes() > parser_->head_bytes + kMaxChunkLineBytes) {
    return Refuse(400, "a chunk's extensions or the trailers are longer than 4 KiB");
  }
  if (beast.is_done()) {
    // Only its body: trailers would pass for fields of the head.
    request_.body = std::move(beast.get().body());
    parser_.reset();
    return state_ = State::kWhole;
  }
  return state_;
}

}  // namespace gleaner::cloud
