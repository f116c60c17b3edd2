#include "cloud/http/http_service.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cloud/http/respond.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// The services that browsers and scripts may call. Devices' services are never among them: there,
// the certificate is the identity.
const std::vector<std::string> kPublicServices = {"gleaner.v1.CatalogService"};

constexpr uint64_t kMinFreeBytes = 64 << 20;
constexpr std::chrono::seconds kReadyFor{1};

// Style may be inline: the page's charts size themselves with it. Script may not.
const httplib::Headers kSecurityHeaders = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
     "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; font-src 'self'; "
     "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; "
     "frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
};

bool IsFormOf(const httplib::Request& request, std::string_view type) {
  return request.get_header_value("Content-Type").starts_with(type);
}

// The value of `name` in an application/x-www-form-urlencoded body.
std::string FormValue(const std::string& body, std::string_view name) {
  size_t at = 0;
  while (at < body.size()) {
    const size_t end = std::min(body.find('&', at), body.size());
    const std::string_view pair(body.data() + at, end - at);
    at = end + 1;
    if (!pair.starts_with(name) || !pair.substr(name.size()).starts_with('=')) continue;
    const std::string_view coded = pair.substr(name.size() + 1);
    std::string value;
    for (size_t i = 0; i < coded.size(); ++i) {
      if (coded[i] == '+') {
        value += ' ';
      } else if (coded[i] == '%' && i + 2 < coded.size() && std::isxdigit(coded[i + 1]) &&
                 std::isxdigit(coded[i + 2])) {
        value += static_cast<char>(std::stoi(std::string(coded.substr(i + 1, 2)), nullptr, 16));
        i += 2;
      } else {
        value += coded[i];
      }
    }
    return value;
  }
  return "";
}

bool WantsHtml(const httplib::Request& request) {
  return request.get_header_value("Accept").find("text/html") != std::string::npos;
}

std::string PercentEncode(const std::string& text) {
  std::string coded;
  for (const unsigned char c : text) {
    if (std::isalnum(c) || c == '/' || c == '-' || c == '_' || c == '.') {
      coded += static_cast<char>(c);
    } else {
      coded += fmt::format("%{:02X}", c);
    }
  }
  return coded;
}

}  // namespace

HttpService::HttpService(const Options& options, Catalog& catalog, BlobStore& blobs,
                         Metrics& metrics, std::shared_ptr<grpc::Channel> channel, Page page)
    : catalog_(catalog),
      blobs_(blobs),
      metrics_(metrics),
      access_(options.token),
      gateway_(std::move(channel), kPublicServices),
      media_(catalog, blobs),
      page_(std::move(page)) {}

absl::StatusOr<std::unique_ptr<HttpService>> HttpService::Start(
    const Options& options, Catalog& catalog, BlobStore& blobs, Metrics& metrics,
    std::shared_ptr<grpc::Channel> channel) {
  if (options.token.empty() && !options.listen.IsLoopback()) {
    return absl::InvalidArgumentError(
        fmt::format("{} is not loopback, so a token is needed", options.listen.ToString()));
  }
  auto page = Page::Load(options.web_dir);
  if (!page.ok()) {
    LOG_WARN("the page is not served: {}", Message(page.status()));
    page = Page::Missing(options.web_dir);
  }
  std::unique_ptr<HttpService> service(
      new HttpService(options, catalog, blobs, metrics, std::move(channel), *std::move(page)));
  HttpService* self = service.get();
  HttpServer::Handlers handlers;
  handlers.headers = kSecurityHeaders;
  handlers.get = [self](const auto& request, auto& response) { self->Get(request, response); };
  handlers.post = [self](const auto& request, const auto& body, auto& response) {
    self->Post(request, body, response);
  };
  handlers.done = [self](const auto& request, const auto& response, double seconds) {
    static constexpr std::string_view kKnown[] = {"GET", "HEAD", "POST"};
    const bool known = std::count(std::begin(kKnown), std::end(kKnown), request.method) > 0;
    self->metrics_.CountRequest(known ? request.method : "other", self->RouteOf(request.path),
                                response.status, seconds);
  };
  ASSIGN_OR_RETURN(service->server_,
                   HttpServer::Start(options.listen, options.threads, std::move(handlers)));
  return service;
}

std::string_view HttpService::RouteOf(const std::string& path) const {
  if (const std::string_view method = gateway_.MethodOf(path); !method.empty()) return method;
  for (const std::string_view route : {"/metrics", "/healthz", "/readyz", "/login", "/logout"}) {
    if (path == route) return route;
  }
  if (path.starts_with("/media/")) return "/media";
  return "page";
}

bool HttpService::Admit(const httplib::Request& request, httplib::Response& response) {
  if (!access_.HostIsRight(request)) {
    RespondError(request, response, 403, "permission_denied",
                 "without a token this server answers to localhost, 127.0.0.1 and [::1] only");
    return false;
  }
  if (access_.IsAllowed(request)) return true;
  if (request.method != "POST" && WantsHtml(request)) {
    response.set_redirect("/login?next=" + PercentEncode(SafeReturnPath(request.target)), 303);
    response.set_header("Cache-Control", "no-store");
    return false;
  }
  response.set_header("WWW-Authenticate", "Bearer");
  RespondError(request, response, 401, "unauthenticated",
               "this server wants its token: Authorization: Bearer …, or sign in at /login");
  return false;
}

void HttpService::Get(const httplib::Request& request, httplib::Response& response) {
  const std::string& path = request.path;
  if (path == "/healthz") return Respond(request, response, 200, "ok\n", "text/plain");
  if (path == "/readyz") return Ready(request, response);
  if (path == "/login" && access_.has_token()) {
    response.set_header("Cache-Control", "no-store");
    return Respond(request, response, 200,
                   LoginPage(SafeReturnPath(request.get_param_value("next")), false),
                   "text/html; charset=utf-8");
  }
  if (!Admit(request, response)) return;
  if (path.starts_with("/media/")) return media_.Serve(request, response);
  if (path == "/metrics") {
    return Respond(request, response, 200, metrics_.Render(), "text/plain; version=0.0.4");
  }
  if (!gateway_.MethodOf(path).empty()) {
    response.set_header("Allow", "POST");
    return RespondError(request, response, 405, "unimplemented", "call this with POST");
  }
  page_.Serve(request, response);
}

void HttpService::Post(const httplib::Request& request, const std::string& body,
                       httplib::Response& response) {
  if (request.path == "/login" && access_.has_token()) return Login(request, body, response);
  if (!Admit(request, response)) return;
  if (request.path == "/logout") {
    response.set_header("Set-Cookie", Access::ForgetCookie());
    response.set_redirect("/login", 303);
    return;
  }
  gateway_.Serve(request, body, response);
}

void HttpService::Login(const httplib::Request& request, const std::string& body,
                        httplib::Response& response) {
  response.set_header("Cache-Control", "no-store");
  std::string token;
  const bool is_json = IsFormOf(request, "application/json");
  if (is_json) {
    const auto parsed = nlohmann::json::parse(body, nullptr, false);
    if (parsed.is_object() && parsed.contains("token") && parsed["token"].is_string()) {
      token = parsed["token"];
    }
  } else {
    token = FormValue(body, "token");
  }
  const std::string next = SafeReturnPath(FormValue(body, "next"));
  if (!access_.IsToken(token)) {
    LOG_WARN("sign-in with a wrong token from {}", request.remote_addr);
    if (is_json) {
      return RespondError(request, response, 401, "unauthenticated", "that is not the token");
    }
    return Respond(request, response, 401, LoginPage(next, true), "text/html; charset=utf-8");
  }
  response.set_header("Set-Cookie",
                      access_.Cookie(request.get_header_value("X-Forwarded-Proto") == "https"));
  if (is_json) {
    response.status = 204;
  } else {
    response.set_redirect(next, 303);
  }
}

absl::Status HttpService::CheckStores() {
  std::lock_guard lock(ready_mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (ready_checked_ && now - *ready_checked_ < kReadyFor) return ready_;
  ready_ = [this]() -> absl::Status {
    RETURN_IF_ERROR(catalog_.Check());
    ASSIGN_OR_RETURN(const uint64_t free, blobs_.FreeBytes());
    if (free < kMinFreeBytes) {
      return absl::ResourceExhaustedError(
          fmt::format("the blob store has {} MiB left", free >> 20));
    }
    ASSIGN_OR_RETURN(const auto writer, blobs_.Create(1));
    char byte = 0;
    const iovec part{&byte, 1};
    absl::Status written = writer->WriteAt(0, &part, 1);
    if (written.ok()) written = writer->Sync();
    const absl::Status removed = blobs_.Remove(writer->id());
    return written.ok() ? removed : written;
  }();
  ready_checked_ = std::chrono::steady_clock::now();
  return ready_;
}

void HttpService::Ready(const httplib::Request& request, httplib::Response& response) {
  const absl::Status status = CheckStores();
  response.set_header("Cache-Control", "no-store");
  if (status.ok()) return Respond(request, response, 200, "ready\n", "text/plain");
  LOG_WARN("not ready: {}", Message(status));
  // Without a token to show, no details.
  const bool details = access_.HostIsRight(request) && access_.IsAllowed(request);
  Respond(request, response, 503,
          details ? fmt::format("not ready: {}\n", Message(status)) : "not ready\n", "text/plain");
}

}  // namespace gleaner::cloud
