#include "cli/client.h"

#include <fmt/format.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "cli/unreachable.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/text.h"
#include "google/protobuf/util/json_util.h"
#include "httplib.h"

namespace gleaner::cli {
namespace {

constexpr size_t kMaxErrorBytes = 64 << 10;

// By the names that Connect has for them.
absl::StatusCode CodeOf(std::string_view connect_code) {
  if (connect_code == "invalid_argument") return absl::StatusCode::kInvalidArgument;
  if (connect_code == "not_found") return absl::StatusCode::kNotFound;
  if (connect_code == "already_exists") return absl::StatusCode::kAlreadyExists;
  if (connect_code == "failed_precondition") return absl::StatusCode::kFailedPrecondition;
  if (connect_code == "unauthenticated") return absl::StatusCode::kUnauthenticated;
  if (connect_code == "permission_denied") return absl::StatusCode::kPermissionDenied;
  if (connect_code == "resource_exhausted") return absl::StatusCode::kResourceExhausted;
  if (connect_code == "unimplemented") return absl::StatusCode::kUnimplemented;
  if (connect_code == "deadline_exceeded") return absl::StatusCode::kDeadlineExceeded;
  return absl::StatusCode::kUnavailable;
}

bool NamesHostAndPort(const std::string& url) {
  const auto [host, port] = HostAndPort(url);
  uint32_t number = 0;
  return !host.empty() && absl::SimpleAtoi(port, &number) && number >= 1 && number <= 65535;
}

// OpenSSL reads it later, and says nothing of it.
absl::Status CheckCa(const std::string& path) {
  const auto file = OpenFile(path, O_RDONLY);
  if (file.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("--ca: {}", Message(file.status())));
}

}  // namespace

Client::Client(ClientOptions options, std::unique_ptr<httplib::Client> http)
    : options_(std::move(options)), http_(std::move(http)) {}
Client::Client(Client&&) noexcept = default;
Client::~Client() = default;

absl::StatusOr<Client> Client::Connect(ClientOptions options) {
  const std::string given = options.url;
  std::string& url = options.url;
  if (url.ends_with('/')) url.pop_back();
  const size_t scheme = url.find("://");
  const bool known = url.starts_with("http://") || url.starts_with("https://");
  if (!known || url.find('/', scheme + 3) != std::string::npos || !NamesHostAndPort(url)) {
    return absl::InvalidArgumentError(fmt::format(
        "\"{}\" is not a server's address; write it as http://127.0.0.1:8080", Printable(given)));
  }
  auto http = std::make_unique<httplib::Client>(url);
  if (!http->is_valid()) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is not a server's address", Printable(given)));
  }
  http->set_connection_timeout(options.connect_timeout_s);
  http->set_read_timeout(options.read_timeout_s);
  http->set_keep_alive(true);
  if (!options.token.empty()) http->set_bearer_token_auth(options.token);
  if (!options.ca.empty()) {
    RETURN_IF_ERROR(CheckCa(options.ca));
    http->set_ca_cert_path(options.ca);
  }
  return Client(std::move(options), std::move(http));
}

absl::Status Client::NoAnswer(int error, int64_t waited_ns) const {
  const std::string& url = options_.url;
  const std::string plain = "http" + url.substr(url.find("://"));
  switch (static_cast<httplib::Error>(error)) {
    case httplib::Error::Connection:
      return WhyUnreachable(url, options_.connect_timeout_s);
    case httplib::Error::ConnectionTimeout:
      return NoAnswerWithin(url, options_.connect_timeout_s);
    case httplib::Error::SSLConnection:
      return absl::UnavailableError(fmt::format(
          "{} answers, but not with TLS. If it speaks plain HTTP its address is {}", url, plain));
    case httplib::Error::SSLLoadingCerts:
      return absl::InvalidArgumentError(
          fmt::format("--ca: {} holds no PEM certificates", options_.ca));
    case httplib::Error::SSLServerVerification: {
      const long result = http_->get_openssl_verify_result();  // NOLINT(google-runtime-int)
      if (result == X509_V_OK) {
        return absl::UnauthenticatedError(
            fmt::format("the certificate of {} is another machine's. Write the address with the "
                        "name that is in the certificate",
                        url));
      }
      return absl::UnauthenticatedError(
          fmt::format("the certificate of {} is not trusted: {}. --ca or GLEANER_CA names the file "
                      "with the authority to trust",
                      url, X509_verify_cert_error_string(result)));
    }
    default:
      break;
  }
  if (waited_ns >= options_.read_timeout_s * kNanosPerSecond) {
    return absl::DeadlineExceededError(
        fmt::format("{} took the request and gave no answer within {} s. Its log may say why", url,
                    options_.read_timeout_s));
  }
  return absl::UnavailableError(
      fmt::format("{} ended the connection without an answer. Is this the port of the page, and "
                  "does it speak {}?",
                  url, url.starts_with("https") ? "TLS" : "plain HTTP, not https"));
}

absl::Status Client::Refused(int http_status, const std::string& body,
                             const std::string& location) const {
  const std::string& url = options_.url;
  if (http_status == 401) {
    return absl::UnauthenticatedError(fmt::format(
        "{} {}: give with --token or GLEANER_TOKEN one that `gleaner tokens create` made, the "
        "first "
        "admin's, which the server says once on its standard output (of a container: `docker "
        "logs`), or what [http] token or token_file says in the server's configuration",
        url, options_.token.empty() ? "wants a token" : "does not know this token"));
  }
  const auto error = nlohmann::json::parse(body, nullptr, false);
  if (error.is_object() && error.contains("code") && error["code"].is_string()) {
    const auto code = error["code"].get<std::string>();
    const auto message = error.contains("message") && error["message"].is_string()
                             ? error["message"].get<std::string>()
                             : std::string();
    return absl::Status(CodeOf(code), message.empty() ? code : message);
  }
  if (http_status >= 300 && http_status < 400 && !location.empty()) {
    return absl::UnavailableError(fmt::format("{} sends us on to {}: give the server's own address",
                                              url, Printable(location)));
  }
  if (http_status == 403) {
    return absl::PermissionDeniedError(
        fmt::format("{} refuses the request (HTTP 403): a proxy in front of it, perhaps", url));
  }
  if (http_status == 404) {
    return absl::UnavailableError(fmt::format(
        "there is no Gleaner server at {} (HTTP 404): is this the port of the page?", url));
  }
  if (http_status == 502 || http_status == 503 || http_status == 504) {
    return absl::UnavailableError(
        fmt::format("what answers at {} can't reach gleaner-cloud (HTTP {}). Is it running?", url,
                    http_status));
  }
  return absl::UnavailableError(
      fmt::format("{} answered with HTTP status {} and no explanation; is it a Gleaner server?",
                  url, http_status));
}

absl::StatusOr<std::string> Client::CallJson(std::string_view method,
                                             const google::protobuf::Message& request) {
  std::string body;
  const auto printed = google::protobuf::util::MessageToJsonString(request, &body);
  if (!printed.ok()) return absl::InternalError(printed.ToString());
  const int64_t begun_ns = RealClock().MonotonicNs();
  const auto result =
      http_->Post(fmt::format("/gleaner.v1.{}", method),
                  httplib::Headers{{"Connect-Protocol-Version", "1"}, {"Accept-Encoding", "gzip"}},
                  body, "application/json");
  if (!result) {
    return NoAnswer(static_cast<int>(result.error()), RealClock().MonotonicNs() - begun_ns);
  }
  if (result->status != 200) {
    return Refused(result->status, result->body, result->get_header_value("Location"));
  }
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
        "{} answers what this command does not understand; is it a Gleaner server?", options_.url));
  }
  return absl::OkStatus();
}

absl::Status Client::Get(const std::string& path, uint64_t offset,
                         const std::function<bool(const char*, size_t)>& take) {
  std::string error_body, location;
  int status = 0;
  httplib::Headers headers;
  if (offset > 0) headers.emplace("Range", fmt::format("bytes={}-", offset));
  const int wanted = offset > 0 ? 206 : 200;
  int64_t heard_ns = RealClock().MonotonicNs();
  const auto result = http_->Get(
      path, headers,
      [&](const httplib::Response& response) {
        status = response.status;
        location = response.get_header_value("Location");
        return true;
      },
      [&](const char* data, size_t size) {
        heard_ns = RealClock().MonotonicNs();
        if (status == wanted) return take(data, size);
        error_body.append(data, std::min(size, kMaxErrorBytes - error_body.size()));
        return true;
      });
  if (!result) {
    if (result.error() == httplib::Error::Canceled) {
      return absl::CancelledError("the download was given up");
    }
    return NoAnswer(static_cast<int>(result.error()), RealClock().MonotonicNs() - heard_ns);
  }
  return status == wanted ? absl::OkStatus() : Refused(status, error_body, location);
}

}  // namespace gleaner::cli
