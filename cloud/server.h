// gleaner-cloud as a whole: opens the stores, starts every room, and stops them in order.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/http/route.h"
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
  // What it answers by itself over HTTP, without the gateway.
  const std::vector<Route>& routes() const;
  // Of the admin whose token this start had to make, since others can reach the page and there was
  // none: to be told to whoever started it, never to a log. Else empty.
  const std::string& first_token() const;

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace gleaner::cloud
