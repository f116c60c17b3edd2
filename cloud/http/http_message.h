// Requests and answers as everything behind the HTTP door sees them: plain values that know nothing
// of connections, so that the transport can be another one without a change here.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "cloud/http/http_stream.h"

namespace gleaner::cloud {

// Header fields in their order. Names are compared without regard to case.
class HttpHeaders {
 public:
  using Field = std::pair<std::string, std::string>;

  HttpHeaders() = default;
  HttpHeaders(std::initializer_list<Field> fields) : fields_(fields) {}

  bool Has(std::string_view name) const { return Count(name) > 0; }
  size_t Count(std::string_view name) const;
  // The value of the first field of this name; empty if there is none.
  const std::string& Get(std::string_view name) const;

  void Add(std::string_view name, std::string_view value);
  // In the place of all fields of this name.
  void Set(std::string_view name, std::string_view value);
  void Remove(std::string_view name);

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

struct HttpRequest {
  std::string method;  // "GET", as it came
  std::string path;    // "/media/…", percent-decoded; starts with a slash
  std::multimap<std::string, std::string, std::less<>> query;  // decoded
  HttpHeaders headers;
  std::string remote_address;  // literal, without the port
  std::string body;            // whole, and unpacked if it came compressed

  bool HasQuery(std::string_view name) const { return query.find(name) != query.end(); }
};

// A body that is read piece by piece as the client takes it.
struct HttpBodySource {
  uint64_t length = 0;
  // Replaces *piece with between 1 and `size` bytes from `offset`. Called on the threads that serve
  // requests, one call at a time. After an error all that is left is to cut the connection.
  std::function<absl::Status(uint64_t offset, size_t size, std::string* piece)> read;
};

// The transport adds what frames the body (Content-Length) and leaves the body out where the
// request was HEAD.
struct HttpResponse {
  int status = 200;
  HttpHeaders headers;
  // The body: the first of these that is set.
  std::unique_ptr<HttpStream> stream;
  std::optional<HttpBodySource> source;
  std::shared_ptr<const std::string> shared_body;  // kept by someone else: sent without a copy
  std::string body;
};

}  // namespace gleaner::cloud
