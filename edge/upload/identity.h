// Who this device is: the PEM files that mutual TLS needs, read and checked before the first
// connection, so that a mistake is a sentence that names the file and not a handshake that fails
// for ever.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace gleaner::edge {

struct Identity {
  std::string ca_pem;           // whom the device trusts: one certificate or more
  std::string certificate_pem;  // the device's own, then any intermediates
  std::string key_pem;
  std::string name;  // the common name of the device's certificate; the cloud calls the device so
  int64_t not_after_unix_s = 0;
  // What works now but wants a person: expired, not valid yet.
  std::vector<std::string> warnings;
};

// Reads the three files. NOT_FOUND or PERMISSION_DENIED where a file can't be read, or where a key
// can be read by too many (see ReadSecret); INVALID_ARGUMENT where it is not PEM of the right kind,
// where the key is not the certificate's, or where the certificate gives no name (see
// DeviceNameIn). `wall_unix_s` is what the device believes the time is; since that may be wrong, a
// certificate out of its dates is a warning only: the server decides.
absl::StatusOr<Identity> LoadIdentity(const std::string& ca, const std::string& certificate,
                                      const std::string& key, int64_t wall_unix_s);

}  // namespace gleaner::edge
