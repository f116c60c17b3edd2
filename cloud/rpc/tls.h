// What mutual TLS needs on the server's side.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gleaner::cloud {

// PEM files, read again every `reload_s`, so that replaced ones take effect for new connections,
// and within the hour for all; while key and certificate don't match, new connections are refused.
// Nothing here knows of revoked certificates: a device is shut out by replacing the authority.
struct TlsFiles {
  std::string ca;           // who signs devices
  std::string certificate;  // the server's own, with its chain
  std::string key;
  uint32_t reload_s = 10;
};

// Reads and checks the files. Errors name the file and what is wrong with it: INVALID_ARGUMENT for
// one that holds no certificate or key, PERMISSION_DENIED for a key that others may read (see
// ReadSecret), FAILED_PRECONDITION for a key that is not the certificate's.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeTlsCredentials(const TlsFiles& files);

// The same of the files alone; and in `faults` why devices would not take them, or the server no
// device, at that time: see CertificateFaults.
absl::Status CheckTlsFiles(const TlsFiles& files, int64_t wall_unix_s,
                           std::vector<std::string>* faults);

}  // namespace gleaner::cloud
