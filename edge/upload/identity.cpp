#include "edge/upload/identity.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/x509.h>
#include <time.h>

#include "common/certificate.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::edge {
namespace {

constexpr size_t kMaxPemBytes = 1 << 20;

int64_t UnixSeconds(const ASN1_TIME* time) {
  tm broken{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &broken) != 1) return 0;
  return timegm(&broken);
}

void CheckDates(const std::string& path, const X509* certificate, int64_t now,
                std::vector<std::string>* warnings) {
  const int64_t from = UnixSeconds(X509_get0_notBefore(certificate));
  const int64_t until = UnixSeconds(X509_get0_notAfter(certificate));
  if (now > until) {
    warnings->push_back(fmt::format("{}: the certificate expired at {:%Y-%m-%d %H:%M} UTC", path,
                                    fmt::gmtime(static_cast<time_t>(until))));
  } else if (now < from) {
    warnings->push_back(
        fmt::format("{}: the certificate is valid from {:%Y-%m-%d %H:%M} UTC, which this clock has "
                    "yet to reach",
                    path, fmt::gmtime(static_cast<time_t>(from))));
  }
}

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
  identity.not_after_unix_s = UnixSeconds(X509_get0_notAfter(own.get()));
  CheckDates(ca, authority.get(), wall_unix_s, &identity.warnings);
  CheckDates(certificate, own.get(), wall_unix_s, &identity.warnings);
  return identity;
}

}  // namespace gleaner::edge
