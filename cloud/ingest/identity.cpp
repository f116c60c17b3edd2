#include "cloud/ingest/identity.h"

#include <fmt/format.h>
#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>

#include "common/clip_key.h"

namespace gleaner::cloud {

absl::StatusOr<std::string> DeviceName(const grpc::ServerContextBase& context,
                                       bool trust_metadata) {
  std::string name;
  const auto peer = context.auth_context();
  if (peer != nullptr && peer->IsPeerAuthenticated()) {
    const auto names = peer->FindPropertyValues(GRPC_X509_CN_PROPERTY_NAME);
    if (names.size() != 1) {
      return absl::UnauthenticatedError("the client certificate must have exactly one CN");
    }
    name.assign(names[0].data(), names[0].size());
  } else if (trust_metadata) {
    const auto found = context.client_metadata().find("x-gleaner-device");
    if (found == context.client_metadata().end()) {
      return absl::UnauthenticatedError(
          "without TLS the metadata x-gleaner-device must name the device");
    }
    name.assign(found->second.data(), found->second.size());
  } else {
    return absl::UnauthenticatedError("a client certificate is needed");
  }
  if (!IsName(name)) {
    return absl::UnauthenticatedError("a device's name has 1 to 63 of [a-z0-9-]");
  }
  return name;
}

}  // namespace gleaner::cloud
