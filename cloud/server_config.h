// The server's configuration file: see docker/gleaner-cloud.toml, which has every key with a
// comment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/fleet/fleet_service.h"
#include "cloud/ingest/ingest_service.h"
#include "cloud/media/frame_choice.h"
#include "cloud/model/model_config.h"
#include "cloud/net/listen_address.h"
#include "cloud/rpc/device_server.h"
#include "cloud/store/s3/store_config.h"
#include "common/config.h"

namespace gleaner::cloud {

// What a server does of all that there is to do; several over one database share it out.
struct Roles {
  bool ingest = true;  // takes clips in from devices
  bool api = true;     // serves the page and the API
  bool worker = true;  // runs jobs

  bool all() const { return ingest && api && worker; }
};

// all, ingest, api or worker. INVALID_ARGUMENT for another word.
absl::StatusOr<Roles> ParseRoles(std::string_view word);
struct ServerConfig {
  Roles roles;
  std::string data_dir;
  std::string database;  // the URI of a PostgreSQL; empty: a file in data_dir
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
  // [frames]
  media::FrameChoice frames;
  size_t pictures_at_once = 2;
  uint64_t picture_cache_bytes = 256 << 20;

  // [models] and [[model]]
  ModelsConfig models;

  // [policy]; its version is a digest of the rest.
  FleetOptions fleet;

  std::string log_level = "info";
  // What the server starts with and hardly does what is meant, a line each.
  std::vector<std::string> warnings;
};

// Reads and checks the whole file. INVALID_ARGUMENT with every mistake, one a line. Relative paths
// count from the file's folder; `program_dir` is where this program is, for the defaults of web_dir
// and worker. `role`, unless it is null, is what the command line says in the place of server.role.
absl::StatusOr<ServerConfig> LoadServerConfig(const std::string& path,
                                              const std::string& program_dir,
                                              const std::string* role = nullptr);
// The same of a file that has been parsed.
absl::StatusOr<ServerConfig> ReadServerConfig(ConfigReader& root, const std::string& program_dir,
                                              const std::string* role = nullptr);

}  // namespace gleaner::cloud
