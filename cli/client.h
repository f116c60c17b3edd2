// The server as the command sees it: Connect-JSON calls and downloads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace httplib {
class Client;
}

namespace gleaner::cli {

// Errors are sentences that say what to do next. One thread at a time.
class Client {
 public:
  // `url`: "http://127.0.0.1:8080" or https; a path in it is refused. `token` may be empty.
  static absl::StatusOr<Client> Connect(const std::string& url, const std::string& token);
  Client(Client&&) noexcept;
  ~Client();

  // POST /gleaner.v1.CatalogService/`method`.
  absl::Status Call(std::string_view method, const google::protobuf::Message& request,
                    google::protobuf::Message* response);
  // The answer's JSON as the server wrote it, for --json.
  absl::StatusOr<std::string> CallJson(std::string_view method,
                                       const google::protobuf::Message& request);

  // GETs `path` and hands the body on piece by piece; false from `take` ends it.
  absl::Status Get(const std::string& path,
                   const std::function<bool(const char* data, size_t size)>& take);

 private:
  Client(std::string url, std::unique_ptr<httplib::Client> http);
  absl::Status Unreachable(int error) const;

  std::string url_;
  std::unique_ptr<httplib::Client> http_;
};

}  // namespace gleaner::cli
