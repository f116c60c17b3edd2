#include "cloud/http/http_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cloud/http/event_stream.h"
#include "cloud/http/respond.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// For the catalog, and whatever else writes to the disk, where ingest has a lower floor.
constexpr uint64_t kMinFreeBytes = 64 << 20;
constexpr std::chrono::seconds kReadyFor{1};
// What is asked for where a body is read: no other site's form can send it without asking first.
const std::string kJson = "application/json";
constexpr size_t kMaxLoginDigits = 3;

// Style may be inline: the page's charts size themselves with it. Script may not.
HttpHeaders SecurityHeaders(const std::string& media_origin) {
  return {
      {"Content-Security-Policy",
       fmt::format("default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
                   "img-src 'self' data: blob:; media-src 'self' blob:{}{}; connect-src 'self'; "
                   "font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
                   "form-action 'self'; frame-ancestors 'none'",
                   media_origin.empty() ? "" : " ", media_origin)},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
  };
}

}  // namespace

HttpService::HttpService(const Options& options, Database& database, UploadStaging& staging,
                         Tokens& tokens, MediaFiles media, Metrics& metrics,
                         std::shared_ptr<grpc::Channel> channel, Page page)
    : database_(database),
      staging_(staging),
      metrics_(metrics),
      events_(options.events),
      health_only_(options.health_only),
      clock_(*options.clock),
      min_free_bytes_(std::max(kMinFreeBytes, options.free_bytes_floor)),
      rest_is_ready_(options.ready),
      tokens_(tokens),
      sessions_(database, clock_, tokens),
      access_(tokens, sessions_, options.listen),
      gateway_(std::move(channel), options.services),
      media_(std::move(media)),
      page_(std::move(page)) {
  AddRoutes(options.routes);
}

void HttpService::AddRoutes(const std::vector<Route>& of_rooms) {
  const auto add = [this](const char* method, const char* path, v1::Role least, auto handler) {
    routes_.emplace_back(method, path, least, std::move(handler));
  };
  add("GET", "/healthz", kAnybody, [](const auto& request, const auto&, auto& response) {
    Respond(request, response, 200, "ok\n", "text/plain");
  });
  add("GET", "/readyz", kAnybody,
      [this](const auto& request, const auto&, auto& response) { Ready(request, response); });
  add("GET", "/metrics", v1::ROLE_VIEWER, [this](const auto& request, const auto&, auto& response) {
    Respond(request, response, 200, metrics_.Render(), "text/plain; version=0.0.4");
  });
  if (health_only_) return;
  add("GET", "/media/", v1::ROLE_VIEWER, [this](const auto& request, const auto&, auto& response) {
    media_.Serve(request, response);
  });
  if (events_ != nullptr) {
    add("GET", "/events", v1::ROLE_VIEWER,
        [this](const auto& request, const auto&, auto& response) { Events(request, response); });
  }
  add("POST", "/login", kAnybody,
      [this](const auto& request, const auto&, auto& response) { Login(request, response); });
  add("POST", "/logout", v1::ROLE_VIEWER,
      [this](const auto& request, const auto&, auto& response) { Logout(request, response); });
  routes_.insert(routes_.end(), of_rooms.begin(), of_rooms.end());
}

absl::Status HttpService::CheckRoutes() const {
  for (const Route& route : routes_) {
    const bool known = route.method() == "GET" || route.method() == "POST";
    if (!known || !route.path().starts_with('/') || route.path() == "/") {
      return absl::InvalidArgumentError(
          fmt::format("{} {} is no route: GET or POST, and a path that begins with a slash",
                      route.method(), route.path()));
    }
    if (Find(route.method(), route.path()) != &route) {
      return absl::InvalidArgumentError(
          fmt::format("{} {} leads to another route already", route.method(), route.path()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<HttpService>> HttpService::Start(
    const Options& options, Database& database, UploadStaging& staging, Tokens& tokens,
    MediaFiles media, Metrics& metrics, std::shared_ptr<grpc::Channel> channel) {
  RETURN_IF_ERROR(Gateway::CheckServices(options.services));
  auto page = options.health_only ? Page::Missing(options.web_dir) : Page::Load(options.web_dir);
  if (!page.ok()) {
    LOG_WARN("the page is not served: {}", Message(page.status()));
    page = Page::Missing(options.web_dir);
  }
  std::unique_ptr<HttpService> service(new HttpService(options, database, staging, tokens,
                                                       std::move(media), metrics,
                                                       std::move(channel), *std::move(page)));
  RETURN_IF_ERROR(service->CheckRoutes());
  HttpService* self = service.get();
  HttpServer::Handlers handlers;
  handlers.headers = SecurityHeaders(options.media_origin);
  handlers.get = [self](const auto& request, auto& response) { self->Get(request, response); };
  handlers.post = [self](const auto& request, auto& response) { self->Post(request, response); };
  handlers.admit = [self](const auto& request, auto& response) {
    return self->MaySend(request, response);
  };
  handlers.done = [self](const auto& request, const auto& response, double seconds) {
    static constexpr std::string_view kKnown[] = {"GET", "HEAD", "POST"};
    const bool known = std::count(std::begin(kKnown), std::end(kKnown), request.method) > 0;
    self->metrics_.CountRequest(known ? request.method : "other", self->RouteOf(request.path),
                                response.status, seconds);
  };
  ASSIGN_OR_RETURN(service->server_, HttpServer::Start(options.listen, {.threads = options.threads},
                                                       std::move(handlers)));
  if (self->events_ != nullptr) {
    self->events_->OnEvent([server = self->server_.get()] { server->WakeStreams(); });
  }
  return service;
}

HttpService::~HttpService() {
  if (events_ != nullptr) events_->OnEvent({});
}

const Route* HttpService::Find(std::string_view method, std::string_view path) const {
  for (const Route& route : routes_) {
    if (route.method() == method && route.LeadsTo(path)) return &route;
  }
  return nullptr;
}

std::string_view HttpService::RouteOf(const std::string& path) const {
  if (path.empty()) return "malformed";
  if (const std::string_view method = gateway_.MethodOf(path); !method.empty()) return method;
  for (const Route& route : routes_) {
    if (route.LeadsTo(path)) return route.label();
  }
  return "page";
}

std::optional<Principal> HttpService::Admit(const HttpRequest& request, v1::Role least,
                                            HttpResponse& response) {
  if (least == kAnybody) return Principal();
  auto who = access_.WhoAsks(request);
  switch (who.status().code()) {
    case absl::StatusCode::kOk:
      if (who->May(least)) return *std::move(who);
      RespondError(request, response, 403, "permission_denied",
                   fmt::format("this wants the role {} at least, and {} is {}", RoleWord(least),
                               who->name, RoleWord(who->role)));
      break;
    case absl::StatusCode::kUnauthenticated:
      response.headers.Set("WWW-Authenticate", "Bearer");
      RespondError(request, response, 401, "unauthenticated",
                   "this server wants a token, as Authorization: Bearer or as the cookie that "
                   "POST /login gives");
      break;
    case absl::StatusCode::kPermissionDenied:
      RespondError(request, response, 403, "permission_denied", Message(who.status()));
      break;
    default:
      Away(request, response, who.status());
  }
  return std::nullopt;
}

void HttpService::Away(const HttpRequest& request, HttpResponse& response,
                       const absl::Status& why) {
  if (const auto more = trouble_.Admit("who asks")) {
    LOG_ERROR("who asks can't be found out or written down: {}{}", Message(why), *more);
  }
  RespondError(request, response, 503, "unavailable",
               "the catalog is in trouble; the server's log says what");
}

void HttpService::Get(const HttpRequest& request, HttpResponse& response) {
  if (const Route* route = Find("GET", request.path)) {
    if (const auto who = Admit(request, route->least(), response)) {
      route->Serve(request, *who, response);
    }
  } else if (!gateway_.MethodOf(request.path).empty()) {
    response.headers.Set("Allow", "POST");
    RespondError(request, response, 405, "unimplemented", "call this with POST");
  } else if (health_only_) {
    RespondError(request, response, 404, "not_found",
                 "this server has /healthz, /readyz and /metrics only; the page and the API are "
                 "with those whose role is api or all");
  } else {
    page_.Serve(request, response);
  }
}

v1::Role HttpService::LeastRoleToPost(const std::string& path) const {
  if (const Route* route = Find("POST", path)) return route->least();
  // That there is no such method is for those to hear who could call one.
  return gateway_.LeastRoleOf(path).value_or(v1::ROLE_VIEWER);
}

bool HttpService::MaySend(const HttpRequest& request, HttpResponse& response) {
  const v1::Role least = LeastRoleToPost(request.path);
  if (least != kAnybody) return Admit(request, least, response).has_value();
  // Anybody may send this one, so it is short.
  const std::string& length = request.headers.Get("Content-Length");
  if (!length.empty() && length.size() <= kMaxLoginDigits) return true;
  RespondError(request, response, 413, "resource_exhausted",
               fmt::format("the body of POST {} is at most 999 bytes, and says in Content-Length "
                           "how many",
                           request.path));
  return false;
}

void HttpService::Post(const HttpRequest& request, HttpResponse& response) {
  if (!HasKnownCoding(request)) {
    response.headers.Set("Accept-Encoding", "gzip, deflate");
    return RespondError(request, response, 415, "unimplemented",
                        "Content-Encoding is one that this server can't undo");
  }
  const auto who = Admit(request, LeastRoleToPost(request.path), response);
  if (!who) return;
  if (const Route* route = Find("POST", request.path)) {
    route->Serve(request, *who, response);
  } else {
    gateway_.Serve(request, *who, response);
  }
}

void HttpService::Events(const HttpRequest& request, HttpResponse& response) {
  // A token that was revoked after it was looked at has changed the number by then, or does so
  // later, which the stream notices.
  const uint64_t changes = tokens_.changes();
  if (!Admit(request, v1::ROLE_VIEWER, response)) return;
  const auto topics = request.query.find("topics");
  const auto reader = events_->Read(topics == request.query.end() ? "" : topics->second,
                                    request.headers.Get("Last-Event-ID"));
  if (!reader) {
    return RespondError(
        request, response, 400, "invalid_argument",
        fmt::format("topics: some of {}, with commas between", events_->TopicNames()));
  }
  response.headers.Set("Content-Type", "text/event-stream");
  response.headers.Set("Cache-Control", "no-store");
  response.headers.Set("X-Accel-Buffering", "no");  // else nginx keeps events until there are many
  response.stream = std::make_unique<EventStream>(
      *reader, clock_, [this, changes] { return tokens_.changes() == changes; });
}

void HttpService::Login(const HttpRequest& request, HttpResponse& response) {
  response.headers.Set("Cache-Control", "no-store");
  if (access_.IsOpen()) {
    return RespondError(request, response, 404, "unimplemented",
                        "there is nothing to sign in with here: this server has no token");
  }
  if (MediaTypeOf(request) != kJson) return RespondWrongType(request, response, kJson);
  const auto parsed = nlohmann::json::parse(request.body, nullptr, false);
  const bool shaped = parsed.is_object() && parsed.contains("token") && parsed["token"].is_string();
  const absl::StatusOr<std::string> cookie =
      shaped ? sessions_.Begin(parsed["token"].get<std::string>())
             : absl::UnauthenticatedError("no token");
  if (absl::IsUnauthenticated(cookie.status())) {
    const std::string& from = request.remote_address;
    if (const auto more = wrong_tokens_.Admit(fmt::format("wrong tokens from {}", from))) {
      LOG_WARN("sign-in with a wrong token from {}{}", from, *more);
    }
    return RespondError(request, response, 401, "unauthenticated", "that is not a token of here");
  }
  if (!cookie.ok()) return Away(request, response, cookie.status());
  response.headers.Set(
      "Set-Cookie",
      Access::SetCookie(*cookie, request.headers.Get("X-Forwarded-Proto") == "https"));
  response.status = 204;
}

void HttpService::Logout(const HttpRequest& request, HttpResponse& response) {
  if (MediaTypeOf(request) != kJson) return RespondWrongType(request, response, kJson);
  const absl::Status ended = sessions_.End(Access::CookieOf(request));
  if (!ended.ok()) return Away(request, response, ended);
  response.headers.Set("Set-Cookie", Access::ForgetCookie());
  response.status = 204;
}

absl::Status HttpService::CheckReady() {
  std::lock_guard lock(ready_mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (ready_checked_ && now - *ready_checked_ < kReadyFor) return ready_;
  const bool was_ready = ready_.ok();
  ready_ = [this]() -> absl::Status {
    if (rest_is_ready_) RETURN_IF_ERROR(rest_is_ready_());
    RETURN_IF_ERROR(database_.Check());
    ASSIGN_OR_RETURN(const uint64_t free, staging_.FreeBytes());
    if (free < min_free_bytes_) {
      return absl::ResourceExhaustedError(
          fmt::format("the blob store has {} MiB left and takes nothing below {} MiB", free >> 20,
                      min_free_bytes_ >> 20));
    }
    ASSIGN_OR_RETURN(auto writer, staging_.Create(1));
    char byte = 0;
    const iovec part{&byte, 1};
    absl::Status written = writer->WriteAt(0, &part, 1);
    if (written.ok()) written = writer->Sync();
    const BlobId id = writer->id();
    writer.reset();
    const absl::Status removed = staging_.Remove(id);
    return written.ok() ? removed : written;
  }();
  ready_checked_ = std::chrono::steady_clock::now();
  if (was_ready && !ready_.ok()) LOG_WARN("not ready: {}", Message(ready_));
  if (!was_ready && ready_.ok()) LOG_INFO("ready again");
  return ready_;
}

void HttpService::Ready(const HttpRequest& request, HttpResponse& response) {
  const absl::Status status = CheckReady();
  response.headers.Set("Cache-Control", "no-store");
  if (status.ok()) return Respond(request, response, 200, "ready\n", "text/plain");
  // Without a token to show, no details.
  const bool details = access_.WhoAsks(request).ok();
  Respond(request, response, 503,
          details ? fmt::format("not ready: {}\n", Message(status)) : "not ready\n", "text/plain");
}

}  // namespace gleaner::cloud
