#include "edge/upload/identity.h"

#include <fmt/format.h>

#include <utility>

#include "common/certificate.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::edge {
namespace {

constexpr size_t kMaxPemBytes = 1 << 20;

}  // namespace

absl::StatusOr<Identity> LoadIdentity(const std::string& ca, const std::string& certificate,
                                      const std::string& key, int64_t wall_unix_s) {
  Identity identity;
  ASSIGN_OR_RETURN(identity.ca_pem, ReadFile(ca, kMaxPemBytes));
  ASSIGN_OR_RETURN(identity.certificate_pem, ReadFile(certificate, kMaxPemBytes));
  ASSIGN_OR_RETURN(identity.key_pem, ReadSecret(key, kMaxPemBytes));

  ASSIGN_OR_RETURN(const CertificatePtr authority, ParseCertificate(identity.ca_pem, ca));
  ASSIGN_OR_RETURN(const CertificatePtr own,
                   ParseCertificate(identity.certificate_pem, certificate));
  ASSIGN_OR_RETURN(const KeyPtr own_key, ParsePrivateKey(identity.key_pem, key));
  if (!IsKeyOf(*own_key, *own)) {
    return absl::InvalidArgumentError(
        fmt::format("{}: is not the key of the certificate in {}", key, certificate));
  }
  auto name = DeviceNameIn(*own);
  if (!name.ok()) return Annotate(name.status(), certificate);
  identity.name = *std::move(name);
  identity.not_after_unix_s = ExpiryUnixS(*own);
  identity.warnings = CertificateFaults(*authority, ca, CertificateUse::kAuthority, wall_unix_s);
  for (std::string& fault :
       CertificateFaults(*own, certificate, CertificateUse::kDevice, wall_unix_s)) {
    identity.warnings.push_back(std::move(fault));
  }
  return identity;
}

}  // namespace gleaner::edge
