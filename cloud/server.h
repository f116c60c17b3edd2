// gleaner-cloud as a whole: opens the stores, starts every room, and stops them in order.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "cloud/server_config.h"
#include "common/clock.h"

namespace gleaner::cloud {

class Server {
 public:
  // Everything listens and works on return. Errors are sentences: which folder, which port, which
  // file.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerConfig& config, Clock& clock);
  // Stops.
  ~Server();

  // Serves until `stop`.
  void Run(const std::stop_token& stop);

  // Within about 15 s, whatever clients do: what rooms do by themselves and the page first, then
  // devices, whose streams end with UNAVAILABLE so that they come again, then jobs, which go on at
  // the next start.
  void Stop();

  // 0 where this server takes no devices.
  int grpc_port() const;
  int http_port() const;

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace gleaner::cloud
