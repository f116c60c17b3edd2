// A path that answers by itself, without the gateway: media, /events, /metrics; and who may use it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cloud/http/http_message.h"
#include "cloud/rpc/principal.h"

namespace gleaner::cloud {

// The least role of what wants none.
inline constexpr v1::Role kAnybody = v1::ROLE_UNSPECIFIED;

class Route {
 public:
  // `who` is nobody where anybody may come. Called on the threads that serve requests.
  using Handler =
      std::function<void(const HttpRequest& request, const Principal& who, HttpResponse& response)>;

  // `method`: GET (and HEAD with it) or POST. `path`: "/events", or all below it where it ends with
  // a slash. What changes something writes to the audit: access/audit.h.
  Route(std::string_view method, std::string path, v1::Role least, Handler handler)
      : method_(method), path_(std::move(path)), least_(least), handler_(std::move(handler)) {}

  const std::string& method() const { return method_; }
  const std::string& path() const { return path_; }
  v1::Role least() const { return least_; }

  bool LeadsTo(std::string_view path) const {
    return path_.ends_with('/') ? path.starts_with(path_) : path == path_;
  }
  // For a metric: "/media".
  std::string_view label() const {
    return std::string_view(path_).substr(0, path_.size() - (path_.ends_with('/') ? 1 : 0));
  }
  void Serve(const HttpRequest& request, const Principal& who, HttpResponse& response) const {
    handler_(request, who, response);
  }

 private:
  std::string method_, path_;
  v1::Role least_;
  Handler handler_;
};

}  // namespace gleaner::cloud
