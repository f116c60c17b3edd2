// Everything the server says over HTTP, put together: who may come in, and which door leads where.
//
//   POST /gleaner.v1.CatalogService/…   the JSON gateway; each method says who may call it
//   GET  /media/…                       files of clips: viewers, as the next two
//   GET  /metrics                       for Prometheus
//   GET  /events                        what happens, as server-sent events: see cloud/events/
//   GET  /healthz, /readyz              for a supervisor; anybody. Alive; able to commit
//                                       and to take clips in, and devices can connect
//   POST /login, /logout                the cookie; only where there is a token
//   …                                   what rooms bring
//   GET  everything else                the page; anybody
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/database/database.h"
#include "cloud/events/event_hub.h"
#include "cloud/http/access.h"
#include "cloud/http/gateway.h"
#include "cloud/http/http_server.h"
#include "cloud/http/media_files.h"
#include "cloud/http/metrics.h"
#include "cloud/http/page.h"
#include "cloud/http/route.h"
#include "cloud/store/upload_staging.h"
#include "common/clock.h"
#include "common/log_throttle.h"

namespace gleaner::cloud {

// Thread-safe.
class HttpService {
 public:
  struct Options {
    ListenAddress listen{"127.0.0.1", 8080};
    // The built page.
    std::string web_dir;
    size_t threads = 32;
    // GET /healthz, /readyz and /metrics, and nothing for people: other servers serve them.
    bool health_only = false;
    // Full names of the services that the gateway serves, and no other.
    std::vector<std::string> services;
    // What rooms answer by themselves.
    std::vector<Route> routes;
    // The rest of being ready: whether the devices' port accepts, and what rooms need. May take
    // seconds; may be empty.
    std::function<absl::Status()> ready;
    // With less than this free, ingest takes nothing in, and the server is not ready.
    uint64_t free_bytes_floor = 0;
    // "https://host", from where the page may play videos as well; may be empty.
    std::string media_origin;
    // What GET /events tells; must outlive this. May be null: then there is no such thing.
    EventHub* events = nullptr;
    Clock* clock = &RealClock();
  };

  // Serves at once. `channel` leads to the services. All references must
  // outlive it.
  static absl::StatusOr<std::unique_ptr<HttpService>> Start(const Options& options,
                                                            Database& database,
                                                            UploadStaging& staging, Tokens& tokens,
                                                            MediaFiles media, Metrics& metrics,
                                                            std::shared_ptr<grpc::Channel> channel);
  ~HttpService();  // stops

  uint16_t port() const { return server_->port(); }
  // Within about 3 s.
  void Stop() { server_->Stop(); }

  const std::vector<Route>& routes() const { return routes_; }

 private:
  HttpService(const Options& options, Database& database, UploadStaging& staging, Tokens& tokens,
              MediaFiles media, Metrics& metrics, std::shared_ptr<grpc::Channel> channel,
              Page page);
  void AddRoutes(const std::vector<Route>& of_rooms);
  absl::Status CheckRoutes() const;
  const Route* Find(std::string_view method, std::string_view path) const;
  void Get(const HttpRequest& request, HttpResponse& response);
  void Post(const HttpRequest& request, HttpResponse& response);
  // Who asks, if he may; else the request is answered.
  std::optional<Principal> Admit(const HttpRequest& request, v1::Role least,
                                 HttpResponse& response);
  // Of what a POST to `path` leads to.
  v1::Role LeastRoleToPost(const std::string& path) const;
  // Before a body that is still on its way is waited for.
  bool MaySend(const HttpRequest& request, HttpResponse& response);
  void Events(const HttpRequest& request, HttpResponse& response);
  // Who asks can't be found out, or what he does can't be written down.
  void Away(const HttpRequest& request, HttpResponse& response, const absl::Status& why);
  void Login(const HttpRequest& request, HttpResponse& response);
  void Logout(const HttpRequest& request, HttpResponse& response);
  void Ready(const HttpRequest& request, HttpResponse& response);
  // Commits and stores a little, and connects as a device does; at most once a second, whoever
  // asks. Logs when it turns.
  absl::Status CheckReady();
  // The label for this request's metrics: one of a fixed few.
  std::string_view RouteOf(const std::string& path) const;

  Database& database_;
  UploadStaging& staging_;
  Metrics& metrics_;
  EventHub* const events_;
  const bool health_only_;
  Clock& clock_;
  const uint64_t min_free_bytes_;
  const std::function<absl::Status()> rest_is_ready_;
  Tokens& tokens_;
  Sessions sessions_;
  Access access_;
  Gateway gateway_;
  std::vector<Route> routes_;
  MediaFiles media_;
  const Page page_;
  std::mutex ready_mutex_;
  absl::Status ready_;
  std::optional<std::chrono::steady_clock::time_point> ready_checked_;
  LogThrottle wrong_tokens_{RealClock()};  // anybody may try
  LogThrottle trouble_{RealClock()};
  std::unique_ptr<HttpServer> server_;
};

}  // namespace gleaner::cloud
