#include "cloud/store/s3/http.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/status.h"

namespace gleaner::cloud::s3 {
namespace {

constexpr long kConnectMs = 10'000;
constexpr long kStallSeconds = 30;
constexpr size_t kMaxIdle = 32;
constexpr size_t kMaxHeaders = 100;
constexpr long kBufferBytes = 256 << 10;

// What the callbacks of one request share.
struct Exchange {
  const HttpRequest& request;
  HttpAnswer answer;
  uint64_t sent = 0;
  std::string piece;
  absl::Status failed;  // on our side
  bool head_ended = false;
};

size_t TakeBody(char* data, size_t, size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (exchange.answer.body.size() + size > exchange.request.max_answer_bytes) {
    exchange.failed = absl::UnavailableError(
        fmt::format("the answer is longer than {} bytes", exchange.request.max_answer_bytes));
    return 0;
  }
  exchange.answer.body.append(data, size);
  return size;
}

size_t TakeHeader(char* data, size_t, size_t size, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view line(data, size);
  if (line.starts_with("HTTP/")) {  // the first line, or the next after a 100
    exchange.answer.headers.clear();
    exchange.head_ended = false;
  }
  if (line == "\r\n") exchange.head_ended = true;
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || exchange.answer.headers.size() >= kMaxHeaders) return size;
  std::string name(line.substr(0, colon)), value(line.substr(colon + 1));
  absl::AsciiStrToLower(&name);
  absl::StripAsciiWhitespace(&value);
  exchange.answer.headers[name] = value;
  return size;
}

size_t GiveBody(char* into, size_t, size_t room, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const Body& body = *exchange.request.body;
  const uint64_t size = std::min<uint64_t>(room, body.size - exchange.sent);
  if (size == 0) return 0;
  exchange.failed = body.read(exchange.sent, size, &exchange.piece);
  if (!exchange.failed.ok()) return CURL_READFUNC_ABORT;
  std::memcpy(into, exchange.piece.data(), size);
  exchange.sent += size;
  return size;
}

// When curl finds that the connection it kept was closed meanwhile.
int SeekBody(void* user, curl_off_t offset, int origin) {
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  static_cast<Exchange*>(user)->sent = static_cast<uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

int CheckStop(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(user)->request.stop.stop_requested() ? 1 : 0;
}

// The server's certificate or address is wrong, and will be.
bool IsLasting(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
         code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
}

}  // namespace

Body Body::Of(std::string_view bytes) {
  return {.size = bytes.size(), .read = [bytes](uint64_t offset, uint64_t size, std::string* out) {
            out->assign(bytes.substr(offset, size));
            return absl::OkStatus();
          }};
}

Http::Http(std::string ca_file) : ca_file_(std::move(ca_file)) {
  static const CURLcode started = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)started;
}

Http::~Http() {
  for (void* handle : idle_) ::curl_easy_cleanup(handle);
}

absl::StatusOr<HttpAnswer> Http::Send(const HttpRequest& request) {
  CURL* curl = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      curl = idle_.back();
      idle_.pop_back();
    }
  }
  if (curl == nullptr) curl = ::curl_easy_init();
  if (curl == nullptr) return absl::ResourceExhaustedError("out of memory");
  ::curl_easy_reset(curl);  // keeps the connection

  Exchange exchange{.request = request};
  std::array<char, CURL_ERROR_SIZE> error{};
  curl_slist* headers = nullptr;
  for (const auto& [name, value] : request.headers) {
    headers = ::curl_slist_append(headers, fmt::format("{}: {}", name, value).c_str());
  }
  ::curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  ::curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  ::curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  ::curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  ::curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error.data());
  ::curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  ::curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  ::curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  ::curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, kBufferBytes);
  ::curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, kBufferBytes);
  if (!ca_file_.empty()) ::curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file_.c_str());
  if (request.method == "HEAD") ::curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  if (request.body != nullptr) {
    ::curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    ::curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body->size));
    ::curl_easy_setopt(curl, CURLOPT_READFUNCTION, &GiveBody);
    ::curl_easy_setopt(curl, CURLOPT_READDATA, &exchange);
    ::curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, &SeekBody);
    ::curl_easy_setopt(curl, CURLOPT_SEEKDATA, &exchange);
  }
  ::curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  ::curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &CheckStop);
  ::curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &exchange);
  ::curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  ::curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  ::curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &TakeBody);
  ::curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  ::curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &TakeHeader);
  ::curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  const CURLcode code = ::curl_easy_perform(curl);
  ::curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &exchange.answer.status);
  ::curl_slist_free_all(headers);
  {
    std::lock_guard lock(mutex_);
    if (idle_.size() < kMaxIdle) idle_.push_back(std::exchange(curl, nullptr));
  }
  if (curl != nullptr) ::curl_easy_cleanup(curl);

  if (code == CURLE_OK && exchange.head_ended) return std::move(exchange.answer);
  // To curl a head that the end of the connection cuts short is an answer.
  if (code == CURLE_OK) return absl::UnavailableError("the answer was cut short");
  RETURN_IF_ERROR(exchange.failed);
  if (request.stop.stop_requested()) return absl::CancelledError("the server is stopping");
  const std::string why = error[0] != '\0' ? error.data() : ::curl_easy_strerror(code);
  return IsLasting(code) ? absl::FailedPreconditionError(why) : absl::UnavailableError(why);
}

}  // namespace gleaner::cloud::s3
