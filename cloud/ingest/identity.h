// Who calls: the device's name from its client certificate, never from a message.
#pragma once

#include <grpcpp/server_context.h>

#include <string>

#include "absl/status/statusor.h"

namespace gleaner::cloud {

// The CN of the peer's verified certificate, which must be one name of 1 to 63 of [a-z0-9-]. Over
// plaintext, where the server allows that at all (`trust_metadata`: loopback only, see tls.h), the
// name is taken from the call's metadata `x-gleaner-device`. UNAUTHENTICATED otherwise.
absl::StatusOr<std::string> DeviceName(const grpc::ServerContextBase& context, bool trust_metadata);

}  // namespace gleaner::cloud
