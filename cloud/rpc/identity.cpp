#include "cloud/rpc/identity.h"

#include <fmt/format.h>
#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>

#include "common/certificate.h"
#include "common/name.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// gRPC has a word for the common name itself, but that is the first of several, and ends at a NUL.
absl::StatusOr<std::string> NameInCertificate(const grpc::AuthContext& peer) {
  const auto pems = peer.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (pems.size() != 1) return absl::InvalidArgumentError("a client certificate is needed");
  ASSIGN_OR_RETURN(const CertificatePtr certificate,
                   ParseCertificate({pems[0].data(), pems[0].size()}, "the client certificate"));
  return DeviceNameIn(*certificate);
}

absl::StatusOr<std::string> NameInMetadata(const grpc::ServerContextBase& context) {
  const auto found = context.client_metadata().find("x-gleaner-device");
  if (found == context.client_metadata().end()) {
    return absl::InvalidArgumentError(
        "without TLS the metadata x-gleaner-device must name the device");
  }
  std::string name(found->second.data(), found->second.size());
  if (!IsName(name)) {
    return absl::InvalidArgumentError(fmt::format("the device's name {}", NotAName(name)));
  }
  return name;
}

}  // namespace

absl::StatusOr<std::string> DeviceName(const grpc::ServerContextBase& context,
                                       bool trust_metadata) {
  const auto peer = context.auth_context();
  absl::StatusOr<std::string> name = absl::InvalidArgumentError("a client certificate is needed");
  if (peer != nullptr && peer->IsPeerAuthenticated()) {
    name = NameInCertificate(*peer);
  } else if (trust_metadata) {
    name = NameInMetadata(context);
  }
  if (name.ok()) return name;
  return absl::UnauthenticatedError(name.status().message());
}

}  // namespace gleaner::cloud
