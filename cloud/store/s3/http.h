// One HTTP request after another to one server, by libcurl. Knows nothing of S3.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gleaner::cloud::s3 {

// A body that is read as it is sent, and again if it is sent again. Its reader may fail, and then
// the request does.
struct Body {
  uint64_t size = 0;
  std::function<absl::Status(uint64_t offset, uint64_t size, std::string* out)> read;

  // `bytes` must live as long.
  static Body Of(std::string_view bytes);
};

struct HttpRequest {
  std::string method;
  std::string url;
  std::map<std::string, std::string> headers;
  const Body* body = nullptr;  // null for none
  // An answer with a longer body is an error.
  size_t max_answer_bytes = 0;
  std::stop_token stop;  // ends it within a second or so
};

struct HttpAnswer {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// Thread-safe; connections are kept and used again.
class Http {
 public:
  // `ca_file`: empty for the machine's own authorities.
  explicit Http(std::string ca_file);
  ~Http();

  // Any whole answer is OK, whatever its status. UNAVAILABLE when there was none, or only a part of
  // one: another try may go better. FAILED_PRECONDITION when it can't: a certificate that isn't
  // trusted, say. CANCELLED by its stop token. Blocks at most half a minute after the last byte
  // that moved.
  absl::StatusOr<HttpAnswer> Send(const HttpRequest& request);

 private:
  const std::string ca_file_;
  std::mutex mutex_;
  std::vector<void*> idle_;  // CURL handles, each with its connection
};

}  // namespace gleaner::cloud::s3
