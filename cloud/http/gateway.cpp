#include "cloud/http/gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "absl/cleanup/cleanup.h"
#include "cloud/http/respond.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/type_resolver_util.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/support/byte_buffer.h"

namespace gleaner::cloud {
namespace {

namespace pb = google::protobuf;

constexpr char kTypePrefix[] = "type.googleapis.com";
constexpr int64_t kDefaultTimeoutMs = 30'000;
constexpr int64_t kMaxTimeoutMs = 120'000;

struct ConnectCode {
  std::string_view name;
  int http_status;
};

// The protocol's table.
ConnectCode ConnectCodeOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::CANCELLED:
      return {"canceled", 499};
    case grpc::StatusCode::INVALID_ARGUMENT:
      return {"invalid_argument", 400};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {"deadline_exceeded", 504};
    case grpc::StatusCode::NOT_FOUND:
      return {"not_found", 404};
    case grpc::StatusCode::ALREADY_EXISTS:
      return {"already_exists", 409};
    case grpc::StatusCode::PERMISSION_DENIED:
      return {"permission_denied", 403};
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return {"resource_exhausted", 429};
    case grpc::StatusCode::FAILED_PRECONDITION:
      return {"failed_precondition", 400};
    case grpc::StatusCode::ABORTED:
      return {"aborted", 409};
    case grpc::StatusCode::OUT_OF_RANGE:
      return {"out_of_range", 400};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {"unimplemented", 501};
    case grpc::StatusCode::INTERNAL:
      return {"internal", 500};
    case grpc::StatusCode::UNAVAILABLE:
      return {"unavailable", 503};
    case grpc::StatusCode::DATA_LOSS:
      return {"data_loss", 500};
    case grpc::StatusCode::UNAUTHENTICATED:
      return {"unauthenticated", 401};
    default:
      return {"unknown", 500};
  }
}

std::string_view AsView(pb::StringPiece text) { return {text.data(), text.size()}; }

v1::Role LeastRole(const pb::MethodDescriptor& method) {
  return method.options().GetExtension(v1::least_role);
}

}  // namespace

absl::Status Gateway::CheckServices(const std::vector<std::string>& services) {
  for (const std::string& name : services) {
    const pb::ServiceDescriptor* service =
        pb::DescriptorPool::generated_pool()->FindServiceByName(name);
    if (service == nullptr) {
      return absl::InvalidArgumentError(fmt::format(
          "no service is called {}: a room registers Service::service_full_name()", name));
    }
    for (int i = 0; i < service->method_count(); ++i) {
      if (LeastRole(*service->method(i)) != v1::ROLE_UNSPECIFIED) continue;
      return absl::InvalidArgumentError(
          fmt::format("{} doesn't say which role it wants: see gleaner/v1/role.proto",
                      service->method(i)->full_name()));
    }
  }
  return absl::OkStatus();
}

Gateway::Gateway(std::shared_ptr<grpc::Channel> channel, const std::vector<std::string>& services)
    : types_(pb::util::NewTypeResolverForDescriptorPool(kTypePrefix,
                                                        pb::DescriptorPool::generated_pool())),
      stub_(std::move(channel)) {
  for (const std::string& name : services) {
    const pb::ServiceDescriptor* service =
        pb::DescriptorPool::generated_pool()->FindServiceByName(name);
    for (int i = 0; i < service->method_count(); ++i) {
      const pb::MethodDescriptor* method = service->method(i);
      if (method->client_streaming() || method->server_streaming()) continue;
      methods_.push_back(
          {fmt::format("/{}/{}", name, method->name()),
           fmt::format("{}/{}", kTypePrefix, method->input_type()->full_name()),
           fmt::format("{}/{}", kTypePrefix, method->output_type()->full_name()),
           LeastRole(*method),
           pb::MessageFactory::generated_factory()->GetPrototype(method->input_type())});
    }
  }
  std::sort(methods_.begin(), methods_.end());
}

const Gateway::Method* Gateway::Find(std::string_view path) const {
  const auto found = std::lower_bound(
      methods_.begin(), methods_.end(), path,
      [](const Method& method, std::string_view wanted) { return method.path < wanted; });
  return found != methods_.end() && found->path == path ? &*found : nullptr;
}

std::string_view Gateway::MethodOf(std::string_view path) const {
  const Method* method = Find(path);
  return method == nullptr ? std::string_view() : method->path;
}

std::optional<v1::Role> Gateway::LeastRoleOf(std::string_view path) const {
  const Method* method = Find(path);
  if (method == nullptr) return std::nullopt;
  return method->least;
}

void Gateway::Serve(const HttpRequest& request, const Principal& who, HttpResponse& response) {
  const auto refuse = [&](grpc::StatusCode code, std::string_view message) {
    const ConnectCode connect = ConnectCodeOf(code);
    RespondError(request, response, connect.http_status, connect.name, message);
  };
  response.headers.Set("Cache-Control", "no-store");
  const Method* method = Find(request.path);
  if (method == nullptr) {
    RespondError(request, response, 404, "unimplemented",
                 fmt::format("there is no method {} here", request.path));
    return;
  }
  const std::string type = MediaTypeOf(request);
  const bool is_json = type == "application/json";
  if (!is_json && type != "application/proto") {
    return RespondWrongType(request, response, "application/json, application/proto");
  }
  const std::string version = request.headers.Get("Connect-Protocol-Version");
  if (!version.empty() && version != "1") {
    return refuse(grpc::StatusCode::INVALID_ARGUMENT,
                  fmt::format("Connect-Protocol-Version is \"{}\"; this speaks 1", version));
  }
  int64_t timeout_ms = kDefaultTimeoutMs;
  if (request.headers.Has("Connect-Timeout-Ms")) {
    const std::string text = request.headers.Get("Connect-Timeout-Ms");
    if (text.empty() || text.size() > 10 ||
        text.find_first_not_of("0123456789") != std::string::npos) {
      return refuse(grpc::StatusCode::INVALID_ARGUMENT,
                    "Connect-Timeout-Ms is a number of at most 10 digits");
    }
    timeout_ms = std::min<int64_t>(std::stoll(text), kMaxTimeoutMs);
    if (timeout_ms == 0) {
      return refuse(grpc::StatusCode::DEADLINE_EXCEEDED, "Connect-Timeout-Ms leaves no time");
    }
  }

  std::string message;
  if (is_json) {
    pb::util::JsonParseOptions options;
    options.ignore_unknown_fields = true;
    const auto parsed = pb::util::JsonToBinaryString(types_.get(), method->input_url, request.body,
                                                     &message, options);
    if (!parsed.ok()) {
      return refuse(
          grpc::StatusCode::INVALID_ARGUMENT,
          fmt::format("the body is not a {} in JSON: {}",
                      method->input_url.substr(sizeof(kTypePrefix)), AsView(parsed.message())));
    }
  } else {
    message = request.body;
  }
  // The service would find it too, but its answer would be that of a broken server.
  const std::unique_ptr<pb::Message> parsed(method->input->New());
  if (!parsed->ParseFromString(message)) {
    return refuse(grpc::StatusCode::INVALID_ARGUMENT,
                  fmt::format("the body is no {}, or holds text that is not UTF-8",
                              method->input_url.substr(sizeof(kTypePrefix))));
  }
  // What no field is for must not get in with what is kept.
  if (!is_json) {
    parsed->DiscardUnknownFields();
    message = parsed->SerializeAsString();
  }
  {
    std::lock_guard lock(mutex_);
    int& calls = under_way_[who.name];
    if (calls == kMostCallsOfOne) {
      return refuse(grpc::StatusCode::RESOURCE_EXHAUSTED,
                    fmt::format("{} calls of {} are under way already: wait for one of them",
                                kMostCallsOfOne, who.name));
    }
    ++calls;
  }
  const absl::Cleanup ended = [&] {
    std::lock_guard lock(mutex_);
    const auto calls = under_way_.find(who.name);
    if (--calls->second == 0) under_way_.erase(calls);
  };
  std::string answer;
  const grpc::Status status = Call(*method, who, message, timeout_ms, &answer);
  if (!status.ok()) return refuse(status.error_code(), status.error_message());
  if (!is_json) return Respond(request, response, 200, std::move(answer), type);
  std::string json;
  const auto printed =
      pb::util::BinaryToJsonString(types_.get(), method->output_url, answer, &json);
  if (!printed.ok()) {
    return refuse(grpc::StatusCode::INTERNAL, fmt::format("the answer can't be written as JSON: {}",
                                                          AsView(printed.message())));
  }
  Respond(request, response, 200, std::move(json), type);
}

grpc::Status Gateway::Call(const Method& method, const Principal& who, const std::string& request,
                           int64_t timeout_ms, std::string* response) {
  grpc::ClientContext context;
  CallAs(who, &context);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(timeout_ms));
  const grpc::Slice slice(request);
  const grpc::ByteBuffer buffer(&slice, 1);
  grpc::ByteBuffer answer;
  grpc::Status status;
  grpc::CompletionQueue queue;
  const auto call = stub_.PrepareUnaryCall(&context, method.path, buffer, &queue);
  call->StartCall();
  call->Finish(&answer, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  if (!status.ok()) return status;
  grpc::Slice whole;
  if (grpc::Status dumped = answer.DumpToSingleSlice(&whole); !dumped.ok()) return dumped;
  response->assign(reinterpret_cast<const char*>(whole.begin()), whole.size());
  return status;
}

}  // namespace gleaner::cloud
