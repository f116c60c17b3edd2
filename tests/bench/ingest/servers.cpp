#include "tests/bench/ingest/servers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "cloud/ingest/allocator.h"
#include "cloud/ingest/ingest_service.h"
#include "cloud/media/media_checks.h"
#include "cloud/rooms.h"
#include "cloud/rpc/device_server.h"
#include "cloud/store/file_blob_store.h"
#include "cloud/store/s3/bucket_folder.h"
#include "common/log.h"
#include "tests/data/free_port.h"

namespace gleaner::bench {
namespace {

// Reads as fast as gRPC can, and keeps nothing.
class DiscardStream : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  DiscardStream() { StartRead(&in_); }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    in_.Clear();
    StartRead(&in_);
  }
  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer in_;
};

class DiscardService final
    : public v1::IngestService::WithRawCallbackMethod_Upload<v1::IngestService::Service> {
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Upload(
      grpc::CallbackServerContext*) override {
    return new DiscardStream;
  }
};

// The same door for both: whatever helps one helps the other.
int ServeGrpc(grpc::Service& service, const std::string& folder) {
  cloud::DeviceServerOptions door;
  door.listen = {"127.0.0.1", 0};
  door.tls.ca = folder + "/ca.pem";
  door.tls.certificate = folder + "/server.pem";
  door.tls.key = folder + "/server.key";
  const auto server = cloud::DeviceServer::Start(door, {&service}, RealClock());
  if (!server.ok()) return 4;
  std::printf("%d\n", (*server)->port());
  std::fflush(stdout);
  while (std::fgetc(stdin) != EOF) {
  }
  (*server)->Stop(std::chrono::seconds(2));
  return 0;
}

// As gleaner-cloud does, without its page.
int ServeIngest(cloud::Database& database, cloud::UploadStaging& staging,
                cloud::ObjectStore& objects, const std::string& folder) {
  cloud::Uploads uploads(database);
  uploads.WriteWithClip(cloud::AskForMediaCheck);
  cloud::BlobNames names(database, cloud::AllRooms().naming);
  cloud::IngestService service(uploads, names, staging, objects, RealClock(),
                               cloud::IngestOptions());
  return ServeGrpc(service, folder);
}

}  // namespace

int Serve(const ServeOptions& options) {
  if (!InitLogging("bench_ingest", "error").ok()) return 2;
  const std::string& folder = options.folder;
  if (options.kind == "discard") {
    DiscardService service;
    return ServeGrpc(service, folder);
  }
  cloud::TuneAllocator();
  if (options.kind == "ingest_s3") {
    cloud::StoreConfig store{
        .in_bucket = true,
        .bucket = {.endpoint = options.s3_endpoint,
                   .bucket = options.s3_bucket,
                   .credentials = {.access_key = "gleaner", .secret_key = "gleaner-secret"}}};
    auto data = cloud::s3::BucketFolder::Open(folder + "/ingest-s3", cloud::AllRooms(), RealClock(),
                                              store, 0, options.database);
    if (!data.ok()) {
      std::fprintf(stderr, "bench_ingest: %s\n", data.status().ToString().c_str());
      return 3;
    }
    return ServeIngest((*data)->database(), (*data)->staging(), (*data)->objects(), folder);
  }
  auto database = cloud::Database::Open(folder + "/catalog.db", cloud::AllRooms().tables);
  auto blobs = cloud::FileBlobStore::Open(folder + "/blobs");
  if (!database.ok() || !blobs.ok()) return 3;
  return ServeIngest(**database, **blobs, **blobs, folder);
}

std::unique_ptr<Process> StartNginx(const std::string& folder, int* port) {
  std::filesystem::create_directories(folder + "/www");
  *port = FreeServerPort();
  // The body goes to a file in the same file system and is then renamed. Its buffer is as large as
  // our chunks: with nginx's default of 16 KiB it needs more CPU.
  std::ofstream(folder + "/nginx.conf")
      << fmt::format(R"(
daemon off;
{user}
worker_processes auto;
error_log {folder}/error.log warn;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_max_body_size 0;
  client_body_buffer_size 256k;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    ssl_client_certificate {folder}/ca.pem;
    ssl_verify_client on;
    ssl_protocols TLSv1.3;
    root {folder}/www;
    location / {{
      dav_methods PUT;
      create_full_put_path on;
      dav_access user:rw;
    }}
  }}
}}
)",
                     fmt::arg("folder", folder), fmt::arg("port", *port),
                     fmt::arg("user", ::geteuid() == 0 ? "user root;" : ""));
  const std::string program =
      std::filesystem::exists("/usr/sbin/nginx") ? "/usr/sbin/nginx" : "nginx";
  auto nginx = std::make_unique<Process>(std::vector<std::string>{
      program, "-c", folder + "/nginx.conf", "-e", folder + "/error.log", "-p", folder});
  for (int i = 0; i < 500; ++i) {
    if (std::filesystem::exists(folder + "/nginx.pid")) return nginx;
    ::usleep(10'000);
  }
  throw std::runtime_error("nginx does not start; see " + folder + "/error.log");
}

}  // namespace gleaner::bench
