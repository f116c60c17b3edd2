// The server's configuration file: see docker/gleaner-cloud.toml, which has every key with a
// comment.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/fleet/fleet_service.h"
#include "cloud/ingest/ingest_service.h"
#include "cloud/net/listen_address.h"
#include "cloud/rpc/device_server.h"
#include "cloud/store/s3/store_config.h"
#include "common/config.h"

namespace gleaner::cloud {

struct ServerConfig {
  std::string data_dir;
  StoreConfig store;

  // [grpc] and [tls].
  DeviceServerOptions devices;
  IngestOptions ingest;

  ListenAddress http_listen{"127.0.0.1", 8080};
  std::string token;  // empty for none
  std::string web_dir;

  size_t media_workers = 1;
  int64_t media_cpu_ns = 0;
  std::string media_worker;  // the program

  // [policy]; its version is a digest of the rest.
  FleetOptions fleet;

  std::string log_level = "info";
  // What the server starts with and hardly does what is meant, a line each.
  std::vector<std::string> warnings;
};

// Reads and checks the whole file. INVALID_ARGUMENT with every mistake, one a line. Relative paths
// count from the file's folder; `program_dir` is where this program is, for the defaults of web_dir
// and worker.
absl::StatusOr<ServerConfig> LoadServerConfig(const std::string& path,
                                              const std::string& program_dir);
// The same of a file that has been parsed.
absl::StatusOr<ServerConfig> ReadServerConfig(ConfigReader& root, const std::string& program_dir);

}  // namespace gleaner::cloud
