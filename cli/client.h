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

struct ClientOptions {
  std::string url;    // "http://127.0.0.1:8080" or https; a path in it is refused
  std::string token;  // empty for none
  std::string ca;     // a PEM file of authorities to trust beside the system's; empty for none
  int connect_timeout_s = 10;
  int read_timeout_s = 60;  // between two pieces of an answer
};

// Errors are sentences that say what is wrong and what to do next: each way in which a server can't
// be reached or doesn't answer has its own. One thread at a time.
class Client {
 public:
  static absl::StatusOr<Client> Connect(ClientOptions options);
  Client(Client&&) noexcept;
  ~Client();

  // POST /gleaner.v1.`method`: "CatalogService/ListClips".
  absl::Status Call(std::string_view method, const google::protobuf::Message& request,
                    google::protobuf::Message* response);
  // The answer's JSON as the server wrote it, for --json.
  absl::StatusOr<std::string> CallJson(std::string_view method,
                                       const google::protobuf::Message& request);

  // GETs `path` from byte `offset` on and hands the body on piece by piece; false from `take` ends
  // it with CANCELLED. `path` names something that has more than `offset` bytes.
  absl::Status Get(const std::string& path, uint64_t offset,
                   const std::function<bool(const char* data, size_t size)>& take);

 private:
  Client(ClientOptions options, std::unique_ptr<httplib::Client> http);
  absl::Status NoAnswer(int error, int64_t waited_ns) const;
  absl::Status Refused(int http_status, const std::string& body, const std::string& location) const;

  ClientOptions options_;
  std::unique_ptr<httplib::Client> http_;
};

}  // namespace gleaner::cli
