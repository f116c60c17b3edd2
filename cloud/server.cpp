#include "cloud/server.h"

#include <fmt/format.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "cloud/connection_metrics.h"
#include "cloud/events/event_hub.h"
#include "cloud/http/bounded_calls.h"
#include "cloud/http/http_service.h"
#include "cloud/http/metrics.h"
#include "cloud/rooms.h"
#include "cloud/rpc/device_server.h"
#include "cloud/store/data_folder.h"
#include "cloud/store/s3/bucket_folder.h"
#include "common/log.h"
#include "common/status.h"
#include "common/version.h"

namespace gleaner::cloud {
namespace {

constexpr std::chrono::seconds kDevicesGrace{5};
constexpr std::chrono::seconds kInsideGrace{1};

}  // namespace

// In the order of their making; they go in the reverse order.
struct Server::Parts {
  Clock& clock;
  const ServerConfig config;
  EventHub events{};
  std::unique_ptr<Stores> data;
  std::unique_ptr<Jobs> jobs;
  std::unique_ptr<Tokens> tokens;
  std::string first_token{};
  std::vector<Uploads::WithClip> with_clip;
  std::vector<WithCheck> with_check;
  Vocabulary words;
  std::unique_ptr<RoomContext> context;
  std::vector<std::unique_ptr<Room>> rooms;
  std::unique_ptr<DeviceServer> devices;
  // For the gateway, without a port: a device's certificate opens no way to it.
  std::unique_ptr<grpc::Server> inside;
  std::unique_ptr<Clips> clips;
  std::unique_ptr<MediaChecks> checks;
  std::unique_ptr<Devices> fleet;
  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<HttpService> http;
  std::unique_ptr<JobRunner> runner;
  bool stopped = false;

  absl::Status OpenStores();
  absl::Status OpenRooms();
  absl::Status ListenForDevices();
  absl::Status ServePage();
  absl::Status Ready();
};

absl::Status Server::Parts::OpenStores() {
  // A copy is gone soon: it may use some of what uploads may not.
  const auto copy_floor = static_cast<uint64_t>(config.ingest.free_bytes_floor / 2);
  if (config.store.in_bucket) {
    ASSIGN_OR_RETURN(data, s3::BucketFolder::Open(config.data_dir, AllRooms(), clock, config.store,
                                                  copy_floor, config.database));
  } else {
    ASSIGN_OR_RETURN(data, DataFolder::Open(config.data_dir, AllRooms(), clock,
                                            {.copy_floor_bytes = copy_floor}, config.database));
  }
  jobs = std::make_unique<Jobs>(data->database(), clock);
  tokens = std::make_unique<Tokens>(data->database(), clock, config.token);
  context = std::make_unique<RoomContext>(
      RoomContext{config, clock, data->database(), data->names(), data->staging(), data->objects(),
                  *jobs, *tokens, events, with_clip, with_check, words});
  return absl::OkStatus();
}

absl::Status Server::Parts::OpenRooms() {
  for (const RoomEntry& entry : Rooms()) {
    if (entry.open != nullptr) rooms.push_back(entry.open(*context));
  }
  for (const auto& room : rooms) RETURN_IF_ERROR(words.Add(room->FilterWords()));
  // Their kinds are known also where nothing runs in the background: people cancel jobs anywhere.
  runner = std::make_unique<JobRunner>(
      *jobs, clock, JobRunner::Options{.worker = WorkerName(), .alone = config.database.empty()});
  for (const auto& room : rooms) {
    for (JobKind& kind : room->JobKinds()) runner->Add(std::move(kind));
  }
  for (const auto& room : rooms) room->Begin();
  return absl::OkStatus();
}

absl::Status Server::Parts::ListenForDevices() {
  std::vector<grpc::Service*> services;
  for (const auto& room : rooms) {
    for (grpc::Service* service : room->ForDevices()) services.push_back(service);
  }
  auto started = DeviceServer::Start(config.devices, services, clock);
  if (!started.ok()) return Annotate(started.status(), "grpc.listen");
  devices = *std::move(started);
  return absl::OkStatus();
}

absl::Status Server::Parts::ServePage() {
  HttpService::Options options;
  grpc::ServerBuilder builder;
  options.health_only = !config.roles.api;
  for (const auto& room : rooms) {
    for (const PeopleService& one : room->ForPeople()) {
      builder.RegisterService(one.service);
      if (config.roles.api) options.services.emplace_back(one.name);
    }
    if (!config.roles.api) continue;
    for (Route& route : room->Routes()) options.routes.push_back(std::move(route));
  }
  builder.experimental().SetInterceptorCreators(BoundedCalls());
  inside = builder.BuildAndStart();
  if (inside == nullptr) return absl::InternalError("the in-process server does not start");

  clips = std::make_unique<Clips>(data->database());
  checks = std::make_unique<MediaChecks>(data->database());
  fleet = std::make_unique<Devices>(data->database(), config.fleet.offline_after_ns());
  const auto free_floor = static_cast<uint64_t>(config.ingest.free_bytes_floor);
  metrics = std::make_unique<Metrics>(data->database(), *fleet, data->staging(), clock, free_floor);
  for (const auto& room : rooms) {
    metrics->AddSource([one = room.get()] { return one->Metrics(); });
  }
  if (devices != nullptr) {
    metrics->AddSource([server = devices.get()] { return ConnectionMetrics(server->stats()); });
  }

  // The list of a large fleet is longer than gRPC's 4 MiB, and it comes from ourselves.
  grpc::ChannelArguments channel;
  channel.SetMaxReceiveMessageSize(-1);
  options.listen = config.http_listen;
  options.web_dir = config.web_dir;
  options.free_bytes_floor = free_floor;
  if (config.store.presign) options.media_origin = s3::OriginOf(config.store.bucket);
  options.events = &events;
  options.ready = [this] { return Ready(); };
  auto started = HttpService::Start(options, data->database(), data->staging(), *tokens,
                                    MediaFiles(*clips, *checks, data->objects()), *metrics,
                                    inside->InProcessChannel(channel));
  if (!started.ok()) return Annotate(started.status(), "http.listen");
  http = *std::move(started);
  // Once it is sure that somebody will hear of it: it is said once.
  if (!config.http_listen.IsLoopback()) {
    ASSIGN_OR_RETURN(first_token, tokens->CreateFirst());
  }
  if (first_token.empty()) {
    ASSIGN_OR_RETURN(const std::string unused, tokens->UnusedFirst());
    if (!unused.empty()) {
      LOG_WARN(
          "the only admin's token, {0}, was said once on standard output and has never been used. "
          "If it is lost: set [http] token or token_file in the configuration, restart, and with "
          "that `gleaner tokens revoke {0}` and `gleaner tokens create NAME --role admin`",
          unused);
    }
  }
  return absl::OkStatus();
}

absl::Status Server::Parts::Ready() {
  if (devices != nullptr) RETURN_IF_ERROR(devices->Check());
  for (const auto& room : rooms) RETURN_IF_ERROR(room->Ready());
  return absl::OkStatus();
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() { Stop(); }
const std::vector<Route>& Server::routes() const { return parts_->http->routes(); }
int Server::grpc_port() const { return parts_->devices == nullptr ? 0 : parts_->devices->port(); }
const std::string& Server::first_token() const { return parts_->first_token; }
int Server::http_port() const { return parts_->http->port(); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerConfig& config, Clock& clock) {
  std::unique_ptr<Server> server(new Server(std::unique_ptr<Parts>(new Parts{clock, config})));
  Parts& parts = *server->parts_;
  RETURN_IF_ERROR(parts.OpenStores());
  RETURN_IF_ERROR(parts.OpenRooms());
  if (config.roles.ingest) RETURN_IF_ERROR(parts.ListenForDevices());
  RETURN_IF_ERROR(parts.ServePage());
  if (config.roles.worker) parts.runner->Start();
  const ListenAddress page{config.http_listen.host, parts.http->port()};
  std::string ready = fmt::format("gleaner-cloud {} is ready: {} at http://{}/", Version(),
                                  config.roles.api ? "page" : "health", page.ToString());
  if (config.roles.ingest) {
    ready += fmt::format(
        ", devices at {}",
        ListenAddress{config.devices.listen.host, static_cast<uint16_t>(server->grpc_port())}
            .ToString());
  }
  LOG_INFO("{}", ready);
  return server;
}

void Server::Run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait(lock, stop, [] { return false; });
  LOG_INFO("stopping");
  Stop();
  LOG_INFO("stopped");
}

void Server::Stop() {
  if (std::exchange(parts_->stopped, true)) return;
  if (parts_->data != nullptr) parts_->data->Stop();
  for (const auto& room : parts_->rooms) room->Stop();
  if (parts_->http != nullptr) parts_->http->Stop();
  if (parts_->devices != nullptr) parts_->devices->Stop(kDevicesGrace);
  if (parts_->inside != nullptr) {
    parts_->inside->Shutdown(std::chrono::system_clock::now() + kInsideGrace);
  }
  if (parts_->runner != nullptr) parts_->runner->Stop();
}

}  // namespace gleaner::cloud
