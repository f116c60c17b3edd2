// Who calls: the device's name from its client certificate, never from a message.
#pragma once

#include <grpcpp/server_context.h>

#include <string>

#include "absl/status/statusor.h"

namespace gleaner::cloud {

// The name in the peer's verified certificate (see DeviceNameIn). Over
// plaintext, where the server allows that at all (`trust_metadata`: loopback only, see tls.h), the
// name is taken from the call's metadata `x-gleaner-device`. UNAUTHENTICATED otherwise, with
// what is wrong with the certificate.
absl::StatusOr<std::string> DeviceName(const grpc::ServerContextBase& context, bool trust_metadata);

}  // namespace gleaner::cloud
