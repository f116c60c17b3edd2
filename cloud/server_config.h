// The server's configuration file: see docker/gleaner-cloud.toml, which has every key with a
// comment.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "cloud/http/listen_address.h"
#include "gleaner/v1/fleet.pb.h"

namespace gleaner::cloud {

struct ServerConfig {
  std::string data_dir;

  ListenAddress grpc_listen{"0.0.0.0", 7443};
  bool plaintext = false;
  // PEM files; set unless plaintext.
  std::string tls_ca;
  std::string tls_certificate;
  std::string tls_key;

  ListenAddress http_listen{"127.0.0.1", 8080};
  std::string token;  // empty for none
  std::string web_dir;

  size_t media_workers = 1;
  int64_t media_timeout_ns = 0;
  std::string media_worker;  // the program

  // `version` is a digest of the rest; a file without [policy] gives an empty policy.
  v1::Policy policy;

  std::string log_level = "info";
};

// Reads and checks the whole file. INVALID_ARGUMENT with every mistake, one a line. Relative paths
// count from the file's folder; `program_dir` is where this program is, for the defaults of web_dir
// and worker.
absl::StatusOr<ServerConfig> LoadServerConfig(const std::string& path,
                                              const std::string& program_dir);

}  // namespace gleaner::cloud
