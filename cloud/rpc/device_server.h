// The door for devices: a port of our own (acceptor.h), mutual TLS, and bounds on what one
// connection may ask for.
//
// Debian's gRPC 1.51 lacks some fixes for floods by anonymous peers (CVE-2023-33953,
// CVE-2023-4785), so nobody without a certificate of the owner's CA gets past the handshake. No
// message is decompressed, since gRPC's bound on a message's size is on what came, not on what it
// unpacks to: a call that says that its messages are compressed ends with UNIMPLEMENTED. And a
// connection whose bytes become no messages is ended (flood_watch.h).
#pragma once

#include <grpcpp/server.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/net/listen_address.h"
#include "cloud/rpc/acceptor.h"
#include "cloud/rpc/tls.h"
#include "common/clock.h"

namespace gleaner::cloud {

struct DeviceServerOptions {
  ListenAddress listen{"0.0.0.0", 7443};
  TlsFiles tls;
  // No TLS: devices are believed what they say in the metadata x-gleaner-device. Loopback only.
  bool plaintext = false;
  // Fewer, if the process may not have as many files open.
  ConnectionLimits connections;
  FloodLimits floods;
  // For all connections together; gRPC slows readers down as it fills.
  int64_t memory_bytes = 512 << 20;
};

class DeviceServer {
 public:
  // Serves on return. Errors are sentences that name the file or the address. `services` are of
  // gRPC's callback API (of the others nobody would know from where their calls come) and take all
  // their requests as bytes ("raw", grpc::ByteBuffer), which are counted here; they and `clock`
  // outlive this.
  static absl::StatusOr<std::unique_ptr<DeviceServer>> Start(
      const DeviceServerOptions& options, const std::vector<grpc::Service*>& services,
      Clock& clock);
  // Stops at once.
  ~DeviceServer();

  // The one that was bound.
  uint16_t port() const { return acceptor_->port(); }
  // Whether devices can connect: see Acceptor::Check.
  absl::Status Check() { return acceptor_->Check(); }
  AcceptorStats stats() { return acceptor_->stats(); }

  // Lets nobody in any more; calls under way get `grace` to end and are cancelled then. Safe to
  // repeat.
  void Stop(std::chrono::milliseconds grace);

 private:
  explicit DeviceServer(std::unique_ptr<Acceptor> acceptor) : acceptor_(std::move(acceptor)) {}

  const std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace gleaner::cloud
