#include "cloud/rpc/principal.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <stdexcept>

namespace gleaner::cloud {
namespace {

// Its value: the secret, the role as a byte, the name.
constexpr char kKey[] = "x-gleaner-principal-bin";
constexpr size_t kSecretBytes = 32;

const std::string& Secret() {
  static const std::string secret = [] {
    std::string made(kSecretBytes, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(made.data()), kSecretBytes) != 1) {
      throw std::runtime_error("the system has no random numbers");
    }
    return made;
  }();
  return secret;
}

}  // namespace

std::string_view RoleWord(v1::Role role) {
  switch (role) {
    case v1::ROLE_VIEWER:
      return "viewer";
    case v1::ROLE_ANNOTATOR:
      return "annotator";
    case v1::ROLE_OPERATOR:
      return "operator";
    case v1::ROLE_ADMIN:
      return "admin";
    default:
      return "nobody";
  }
}

void CallAs(const Principal& principal, grpc::ClientContext* context) {
  context->AddMetadata(kKey, Secret() + static_cast<char>(principal.role) + principal.name);
}

absl::StatusOr<Principal> PrincipalOf(const grpc::ServerContextBase& context) {
  const auto [begin, end] = context.client_metadata().equal_range(kKey);
  if (begin != end && std::next(begin) == end) {
    const std::string_view said(begin->second.data(), begin->second.size());
    if (said.size() > kSecretBytes &&
        CRYPTO_memcmp(said.data(), Secret().data(), kSecretBytes) == 0) {
      return Principal{.name = std::string(said.substr(kSecretBytes + 1)),
                       .role = static_cast<v1::Role>(said[kSecretBytes])};
    }
  }
  return absl::UnauthenticatedError("the call doesn't say in whose name it is made");
}

}  // namespace gleaner::cloud
