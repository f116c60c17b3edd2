#include "cloud/server.h"

#include <fmt/format.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "cloud/catalog.h"
#include "cloud/connection_metrics.h"
#include "cloud/fleet/fleet_service.h"
#include "cloud/http/catalog_service.h"
#include "cloud/http/http_service.h"
#include "cloud/http/metrics.h"
#include "cloud/ingest/ingest_service.h"
#include "cloud/ingest/janitor.h"
#include "cloud/ingest_metrics.h"
#include "cloud/media/checker.h"
#include "cloud/rpc/device_server.h"
#include "cloud/store/data_folder.h"
#include "cloud/store_metrics.h"
#include "common/log.h"
#include "common/status.h"
#include "common/version.h"

namespace gleaner::cloud {
namespace {

constexpr std::chrono::seconds kDevicesGrace{5};
constexpr std::chrono::seconds kInsideGrace{1};

}  // namespace

// In the order of their making; they go in the reverse order.
struct Server::Rooms {
  Clock& clock;
  std::unique_ptr<DataFolder> data;
  std::unique_ptr<Catalog> catalog;
  BlobStore* blobs = nullptr;  // of `data`
  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<IngestService> ingest;
  std::unique_ptr<FleetService> fleet;
  std::unique_ptr<CatalogService> reading;
  std::unique_ptr<DeviceServer> devices;
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
  FileBlobOptions options;
  // A copy is gone soon: it may use some of what uploads may not.
  options.copy_floor_bytes = static_cast<uint64_t>(config.ingest.free_bytes_floor / 2);
  ASSIGN_OR_RETURN(data, DataFolder::Open(config.data_dir, AllRooms(), clock, options));
  catalog = std::make_unique<Catalog>(data->database(), config.fleet.offline_after_ns());
  blobs = &data->blobs();
  return absl::OkStatus();
}

absl::Status Server::Rooms::ListenForDevices(const ServerConfig& config) {
  ingest = std::make_unique<IngestService>(catalog->uploads, data->names(), *blobs, clock,
                                           config.ingest);
  fleet = std::make_unique<FleetService>(catalog->devices, catalog->damage, clock, config.fleet);
  auto started = DeviceServer::Start(config.devices, {ingest.get(), fleet.get()}, clock);
  if (!started.ok()) return Annotate(started.status(), "grpc.listen");
  devices = *std::move(started);
  return absl::OkStatus();
}

absl::Status Server::Rooms::ServePage(const ServerConfig& config) {
  reading =
      std::make_unique<CatalogService>(data->database(), catalog->clips, catalog->devices, clock);
  grpc::ServerBuilder builder;
  builder.RegisterService(reading.get());
  inside = builder.BuildAndStart();
  if (inside == nullptr) return absl::InternalError("the in-process server does not start");
  const auto free_floor = static_cast<uint64_t>(config.ingest.free_bytes_floor);
  metrics =
      std::make_unique<Metrics>(data->database(), catalog->devices, *blobs, clock, free_floor);
  metrics->AddSource([service = ingest.get()] { return IngestMetrics(service->stats()); });
  metrics->AddSource([server = devices.get()] { return ConnectionMetrics(server->stats()); });
  metrics->AddSource([this] { return StoreMetrics(data->names()); });

  // The list of a large fleet is longer than gRPC's 4 MiB, and it comes from ourselves.
  grpc::ChannelArguments channel;
  channel.SetMaxReceiveMessageSize(-1);
  HttpService::Options options;
  options.listen = config.http_listen;
  options.token = config.token;
  options.web_dir = config.web_dir;
  options.free_bytes_floor = free_floor;
  options.devices_can_connect = [server = devices.get()] { return server->Check(); };
  auto started = HttpService::Start(options, data->database(), *blobs,
                                    MediaFiles(catalog->clips, catalog->checks, *blobs), *metrics,
                                    inside->InProcessChannel(channel));
  if (!started.ok()) return Annotate(started.status(), "http.listen");
  http = *std::move(started);
  return absl::OkStatus();
}

void Server::Rooms::WorkInBackground(const ServerConfig& config) {
  MediaChecker::Options options;
  options.program = config.media_worker;
  options.workers = config.media_workers;
  options.cpu_ns = config.media_cpu_ns;
  options.on_checked = [this](const v1::MediaCheck& verdict, double seconds) {
    metrics->CountMedia(verdict, seconds);
  };
  options.on_damage = [this](const std::string& device, const std::string& camera,
                             uint64_t frames) {
    return catalog->damage.Record(device, camera, frames, clock.WallNs());
  };
  media = std::make_unique<MediaChecker>(catalog->checks, *blobs, clock, options);
  catalog->uploads.OnClip(media->Waker());
  media_thread = std::jthread([this](const std::stop_token& stop) { media->Run(stop); });
  janitor = std::make_unique<Janitor>(catalog->uploads, data->names(), *blobs, clock);
}

Server::Server(std::unique_ptr<Rooms> rooms) : rooms_(std::move(rooms)) {}
Server::~Server() { Stop(); }
int Server::grpc_port() const { return rooms_->devices->port(); }
int Server::http_port() const { return rooms_->http->port(); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerConfig& config, Clock& clock) {
  std::unique_ptr<Server> server(new Server(std::unique_ptr<Rooms>(new Rooms{clock})));
  Rooms& rooms = *server->rooms_;
  RETURN_IF_ERROR(rooms.OpenStores(config));
  RETURN_IF_ERROR(rooms.ListenForDevices(config));
  RETURN_IF_ERROR(rooms.ServePage(config));
  rooms.WorkInBackground(config);
  const ListenAddress page{config.http_listen.host, rooms.http->port()};
  LOG_INFO("gleaner-cloud {} is ready: page at http://{}/, devices at {}", Version(),
           page.ToString(),
           ListenAddress{config.devices.listen.host, rooms.devices->port()}.ToString());
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
  if (rooms_->devices != nullptr) rooms_->devices->Stop(kDevicesGrace);
  if (rooms_->inside != nullptr) {
    rooms_->inside->Shutdown(std::chrono::system_clock::now() + kInsideGrace);
  }
  if (rooms_->media_thread.joinable()) rooms_->media_thread.join();
}

}  // namespace gleaner::cloud
