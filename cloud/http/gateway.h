// JSON in front of gRPC: the Connect protocol's unary calls (https://connectrpc.com/docs/protocol).
//
//   POST /gleaner.v1.CatalogService/ListClips   Content-Type: application/json   {"filter":
//   "device:cart-1"}
//
// Generic over descriptors: a method that a public service gains is served without a line here.
// Requests with unknown fields are taken, as the protocol says. application/proto works too.
// Streaming methods are not served. Who may call a method is declared in its .proto.
// A call goes out in the name of whoever asked (rpc/principal.h), and no header goes with it.
// What is wrong with a request is told with a status of 4xx, as
// {"code": …, "message": …}; 5xx are the server's own.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cloud/http/http_message.h"
#include "cloud/rpc/principal.h"
#include "google/protobuf/message.h"
#include "google/protobuf/util/type_resolver.h"
#include "grpcpp/channel.h"
#include "grpcpp/generic/generic_stub.h"

namespace gleaner::cloud {

// Of one person's calls so many may be under way: half of what the HTTP server has threads for, so
// that nobody keeps all others waiting.
inline constexpr int kMostCallsOfOne = 16;

// Thread-safe.
class Gateway {
 public:
  // INVALID_ARGUMENT with the name that is none of a service's whose descriptor is compiled in, or
  // with a method that doesn't say who may call it.
  static absl::Status CheckServices(const std::vector<std::string>& services);

  // `services`: full names of the services to serve, none else; CheckServices was OK.
  // `channel` leads to them.
  Gateway(std::shared_ptr<grpc::Channel> channel, const std::vector<std::string>& services);

  // "/gleaner.v1.CatalogService/ListClips" if this path is a public method, else empty. For the
  // label of a metric.
  std::string_view MethodOf(std::string_view path) const;

  // Of such a path; nothing for any other.
  std::optional<v1::Role> LeastRoleOf(std::string_view path) const;

  // `who` may call it.
  void Serve(const HttpRequest& request, const Principal& who, HttpResponse& response);

 private:
  struct Method {
    std::string path;
    std::string input_url;
    std::string output_url;
    v1::Role least = v1::ROLE_UNSPECIFIED;
    const google::protobuf::Message* input = nullptr;  // its type's prototype
    bool operator<(const Method& other) const { return path < other.path; }
  };
  const Method* Find(std::string_view path) const;
  grpc::Status Call(const Method& method, const Principal& who, const std::string& request,
                    int64_t timeout_ms, std::string* response);

  std::vector<Method> methods_;  // ascending by path
  std::unique_ptr<google::protobuf::util::TypeResolver> types_;
  grpc::GenericStub stub_;
  std::mutex mutex_;
  std::map<std::string, int, std::less<>> under_way_;  // by name; guarded by mutex_
};

}  // namespace gleaner::cloud
