#include "cloud/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grpc/support/log.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "cloud/fleet/fleet_service.h"
#include "cloud/http/catalog_service.h"
#include "cloud/http/http_service.h"
#include "cloud/http/metrics.h"
#include "cloud/ingest/ingest_service.h"
#include "cloud/ingest/janitor.h"
#include "cloud/ingest/tls.h"
#include "cloud/ingest_metrics.h"
#include "cloud/media/checker.h"
#include "cloud/store/blob_store.h"
#include "cloud/store/catalog.h"
#include "common/file.h"
#include "common/log.h"
#include "common/status.h"
#include "common/version.h"

namespace gleaner::cloud {
namespace {

constexpr std::chrono::seconds kDevicesGrace{5};
constexpr std::chrono::seconds kInsideGrace{1};

// gRPC's own words go where ours go.
void LogFromGrpc(gpr_log_func_args* said) {
  const auto level =
      said->severity == GPR_LOG_SEVERITY_ERROR ? spdlog::level::warn : spdlog::level::debug;
  spdlog::log(level, "grpc: {}", said->message);
}

// Held for life: two servers on one folder would each believe that the catalogue is theirs.
absl::StatusOr<Fd> LockFolder(const std::string& folder) {
  ASSIGN_OR_RETURN(Fd lock, OpenFile(folder + "/lock", O_RDWR | O_CREAT));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        fmt::format("server.data_dir {} is in use by another gleaner-cloud", folder));
  }
  return lock;
}

std::chrono::system_clock::time_point In(std::chrono::seconds grace) {
  return std::chrono::system_clock::now() + grace;
}

}  // namespace

// In the order of their making; they go in the reverse order.
struct Server::Rooms {
  Clock& clock;
  Fd lock;
  std::unique_ptr<Catalog> catalog;
  std::unique_ptr<BlobStore> blobs;
  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<IngestService> ingest;
  std::unique_ptr<FleetService> fleet;
  std::unique_ptr<CatalogService> reading;
  // For devices, over TLS.
  int grpc_port = 0;
  std::unique_ptr<grpc::Server> devices;
  // For the gateway, without a port: a device's certificate opens no way to it.
  std::unique_ptr<grpc::Server> inside;
  std::unique_ptr<MediaChecker> media;
  std::unique_ptr<HttpService> http;
  std::unique_ptr<Janitor> janitor;
  std::jthread media_thread;
  bool stopped = false;

  absl::Status OpenStores(const ServerConfig& config);
  absl::Status ListenForDevices(const ServerConfig& config);
  absl::Status ServePage(const ServerConfig& config);
  void WorkInBackground(const ServerConfig& config);
};

absl::Status Server::Rooms::OpenStores(const ServerConfig& config) {
  RETURN_IF_ERROR(MakeDirectories(config.data_dir));
  ASSIGN_OR_RETURN(lock, LockFolder(config.data_dir));
  ASSIGN_OR_RETURN(catalog,
                   OpenSqliteCatalog(config.data_dir + "/catalog.db", clock,
                                     {.offline_after_ns = config.fleet.offline_after_ns()}));
  ASSIGN_OR_RETURN(
      blobs, OpenFileBlobStore(
                 config.data_dir + "/blobs",
                 // A copy is gone soon: it may use some of what uploads may not.
                 {.copy_floor_bytes = static_cast<uint64_t>(config.ingest.free_bytes_floor / 2)}));
  return absl::OkStatus();
}

absl::Status Server::Rooms::ListenForDevices(const ServerConfig& config) {
  ASSIGN_OR_RETURN(const auto credentials, MakeServerCredentials(config.devices));
  // gRPC says only that it failed; this says why.
  ASSIGN_OR_RETURN(const ListenAddress address, ParseListenAddress(config.devices.address));
  uint16_t free_port = 0;
  RETURN_IF_ERROR(Annotate(ListenOn(address, &free_port).status(), "grpc.listen"));

  ingest = std::make_unique<IngestService>(*catalog, *blobs, clock, config.ingest);
  fleet = std::make_unique<FleetService>(*catalog, clock, config.fleet);
  grpc::ServerBuilder builder;
  AddDeviceListener(builder, config.devices, credentials, &grpc_port);
  builder.RegisterService(ingest.get());
  builder.RegisterService(fleet.get());
  devices = builder.BuildAndStart();
  if (devices == nullptr || grpc_port == 0) {
    return absl::UnavailableError(
        fmt::format("grpc.listen: can't listen on {}", config.devices.address));
  }
  return absl::OkStatus();
}

absl::Status Server::Rooms::ServePage(const ServerConfig& config) {
  reading = std::make_unique<CatalogService>(*catalog, clock);
  grpc::ServerBuilder builder;
  builder.RegisterService(reading.get());
  inside = builder.BuildAndStart();
  if (inside == nullptr) return absl::InternalError("the in-process server does not start");
  const auto free_floor = static_cast<uint64_t>(config.ingest.free_bytes_floor);
  metrics = std::make_unique<Metrics>(*catalog, *blobs, clock, free_floor);
  metrics->AddSource([service = ingest.get()] { return IngestMetrics(service->stats()); });

  // The list of a large fleet is longer than gRPC's 4 MiB, and it comes from ourselves.
  grpc::ChannelArguments channel;
  channel.SetMaxReceiveMessageSize(-1);
  HttpService::Options options;
  options.listen = config.http_listen;
  options.token = config.token;
  options.web_dir = config.web_dir;
  options.free_bytes_floor = free_floor;
  auto started =
      HttpService::Start(options, *catalog, *blobs, *metrics, inside->InProcessChannel(channel));
  if (!started.ok()) return Annotate(started.status(), "http.listen");
  http = *std::move(started);
  return absl::OkStatus();
}

void Server::Rooms::WorkInBackground(const ServerConfig& config) {
  MediaChecker::Options options;
  options.program = config.media_worker;
  options.workers = config.media_workers;
  options.cpu_ns = config.media_cpu_ns;
  options.on_checked = [this](bool ok, double seconds) { metrics->CountMedia(ok, seconds); };
  media = std::make_unique<MediaChecker>(*catalog, *blobs, clock, options);
  media_thread = std::jthread([this](const std::stop_token& stop) { media->Run(stop); });
  janitor = std::make_unique<Janitor>(*catalog, *blobs, clock);
}

Server::Server(std::unique_ptr<Rooms> rooms) : rooms_(std::move(rooms)) {}
Server::~Server() { Stop(); }
int Server::grpc_port() const { return rooms_->grpc_port; }
int Server::http_port() const { return rooms_->http->port(); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerConfig& config, Clock& clock) {
  gpr_set_log_function(LogFromGrpc);
  std::unique_ptr<Server> server(new Server(std::unique_ptr<Rooms>(new Rooms{clock})));
  Rooms& rooms = *server->rooms_;
  RETURN_IF_ERROR(rooms.OpenStores(config));
  RETURN_IF_ERROR(rooms.ListenForDevices(config));
  RETURN_IF_ERROR(rooms.ServePage(config));
  rooms.WorkInBackground(config);
  const ListenAddress page{config.http_listen.host, rooms.http->port()};
  LOG_INFO("gleaner-cloud {} is ready: page at http://{}/, devices at {}", Version(),
           page.ToString(), config.devices.address);
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
  if (std::exchange(rooms_->stopped, true)) return;
  rooms_->janitor.reset();
  rooms_->media_thread.request_stop();
  if (rooms_->ingest != nullptr) rooms_->ingest->Stop();
  if (rooms_->http != nullptr) rooms_->http->Stop();
  if (rooms_->devices != nullptr) rooms_->devices->Shutdown(In(kDevicesGrace));
  if (rooms_->inside != nullptr) rooms_->inside->Shutdown(In(kInsideGrace));
  if (rooms_->media_thread.joinable()) rooms_->media_thread.join();
}

}  // namespace gleaner::cloud
