#include "cli/client.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/status.h"
#include "google/protobuf/util/json_util.h"
#include "httplib.h"

namespace gleaner::cli {
namespace {

constexpr int kConnectTimeoutS = 10;
constexpr int kReadTimeoutS = 60;
constexpr size_t kMaxErrorBytes = 64 << 10;

absl::StatusCode CodeOf(std::string_view connect_code) {
  if (connect_code == "invalid_argument") return absl::StatusCode::kInvalidArgument;
  if (connect_code == "not_found") return absl::StatusCode::kNotFound;
  if (connect_code == "unauthenticated") return absl::StatusCode::kUnauthenticated;
  if (connect_code == "permission_denied") return absl::StatusCode::kPermissionDenied;
  if (connect_code == "unimplemented") return absl::StatusCode::kUnimplemented;
  if (connect_code == "deadline_exceeded") return absl::StatusCode::kDeadlineExceeded;
  return absl::StatusCode::kUnavailable;
}

// What the server says went wrong, from its Connect error.
absl::Status ServerError(const std::string& url, int http_status, const std::string& body) {
  const auto error = nlohmann::json::parse(body, nullptr, false);
  if (http_status == 401) {
    return absl::UnauthenticatedError(fmt::format(
        "{} wants its token: give --token or set GLEANER_TOKEN to what [http] token says in the "
        "server's configuration",
        url));
  }
  if (!error.is_object() || !error.contains("code") || !error["code"].is_string()) {
    return absl::UnavailableError(
        fmt::format("{} answered with HTTP status {} and no explanation; is it a Gleaner server?",
                    url, http_status));
  }
  const auto message = error.value("message", std::string());
  return absl::Status(CodeOf(error["code"].get<std::string>()),
                      message.empty() ? error["code"].get<std::string>() : message);
}

}  // namespace

Client::Client(std::string url, std::unique_ptr<httplib::Client> http)
    : url_(std::move(url)), http_(std::move(http)) {}
Client::Client(Client&&) noexcept = default;
Client::~Client() = default;

absl::StatusOr<Client> Client::Connect(const std::string& url, const std::string& token) {
  std::string base = url;
  if (base.ends_with('/')) base.pop_back();
  const size_t scheme = base.find("://");
  const bool known = base.starts_with("http://") || base.starts_with("https://");
  if (!known || base.size() == scheme + 3 || base.find('/', scheme + 3) != std::string::npos) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is not a server's address; write it as http://127.0.0.1:8080", url));
  }
  auto http = std::make_unique<httplib::Client>(base);
  if (!http->is_valid()) {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is not a server's address", url));
  }
  http->set_connection_timeout(kConnectTimeoutS);
  http->set_read_timeout(kReadTimeoutS);
  http->set_keep_alive(true);
  if (!token.empty()) http->set_bearer_token_auth(token);
  return Client(std::move(base), std::move(http));
}

absl::Status Client::Unreachable(int error) const {
  const auto kind = static_cast<httplib::Error>(error);
  std::string why = "the connection failed";
  if (kind == httplib::Error::Connection) why = "nobody answers there";
  if (kind == httplib::Error::ConnectionTimeout) why = "no answer within 10 s";
  if (kind == httplib::Error::Read) why = "it stopped answering";
  if (kind == httplib::Error::SSLServerVerification) why = "its certificate is not trusted";
  return absl::UnavailableError(fmt::format(
      "can't reach {}: {}. Is gleaner-cloud running there? --server or GLEANER_SERVER says where "
      "it is",
      url_, why));
}

absl::StatusOr<std::string> Client::CallJson(std::string_view method,
                                             const google::protobuf::Message& request) {
  std::string body;
  const auto printed = google::protobuf::util::MessageToJsonString(request, &body);
  if (!printed.ok()) return absl::InternalError(printed.ToString());
  const auto result =
      http_->Post(fmt::format("/gleaner.v1.CatalogService/{}", method),
                  httplib::Headers{{"Connect-Protocol-Version", "1"}, {"Accept-Encoding", "gzip"}},
                  body, "application/json");
  if (!result) return Unreachable(static_cast<int>(result.error()));
  if (result->status != 200) return ServerError(url_, result->status, result->body);
  return result->body;
}

absl::Status Client::Call(std::string_view method, const google::protobuf::Message& request,
                          google::protobuf::Message* response) {
  ASSIGN_OR_RETURN(const std::string json, CallJson(method, request));
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // a newer server may say more
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, response, options);
  if (!parsed.ok()) {
    return absl::UnavailableError(fmt::format(
        "{} answers what this command does not understand; is it a Gleaner server?", url_));
  }
  return absl::OkStatus();
}

absl::Status Client::Get(const std::string& path,
                         const std::function<bool(const char*, size_t)>& take) {
  std::string error_body;
  int status = 0;
  const auto result = http_->Get(
      path, httplib::Headers{},
      [&status](const httplib::Response& response) {
        status = response.status;
        return true;
      },
      [&](const char* data, size_t size) {
        if (status == 200) return take(data, size);
        error_body.append(data, std::min(size, kMaxErrorBytes - error_body.size()));
        return true;
      });
  if (!result) {
    if (result.error() == httplib::Error::Canceled) {
      return absl::CancelledError("the download was given up");
    }
    return Unreachable(static_cast<int>(result.error()));
  }
  return status == 200 ? absl::OkStatus() : ServerError(url_, status, error_body);
}

}  // namespace gleaner::cli
