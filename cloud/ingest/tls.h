// The door for devices: mutual TLS, and bounds on what one connection may ask for.
//
// Debian's gRPC 1.51 lacks some fixes for floods by anonymous peers (CVE-2023-33953,
// CVE-2023-4785), so nobody without a certificate of the owner's CA gets past the handshake.
#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace gleaner::cloud {

// The PEM files are read again every `reload_s`, so that replaced ones take effect for new
// connections, and within the hour for all; while key and certificate don't match, new connections
// are refused. Nothing here knows of revoked certificates: a device is shut out by replacing the
// authority.
struct DeviceListenerOptions {
  std::string address = "0.0.0.0:7443";
  std::string ca;           // PEM file: who signs devices
  std::string certificate;  // PEM file: the server's own, with its chain
  std::string key;          // PEM file
  uint32_t reload_s = 10;
  // No TLS: devices are believed what they say in the metadata x-gleaner-device. Loopback only.
  bool plaintext = false;
  // For all connections together; gRPC slows readers down as it fills.
  int64_t memory_bytes = 512 << 20;
};

// Reads and checks the PEM files. Errors name the file and what is wrong with it: INVALID_ARGUMENT
// for one that holds no certificate or key, FAILED_PRECONDITION for a key that is not the
// certificate's. With plaintext: insecure credentials.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const DeviceListenerOptions& options);

// Adds the port and every bound. `port` (may be null) gets the port that was bound, 0 if none was:
// in use, or another server has it (sharing a port is off).
void AddDeviceListener(grpc::ServerBuilder& builder, const DeviceListenerOptions& options,
                       const std::shared_ptr<grpc::ServerCredentials>& credentials, int* port);

}  // namespace gleaner::cloud
