#include "common/certificate.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "common/name.h"

namespace gleaner {
namespace {

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;

BioPtr Wrap(std::string_view pem) {
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

int NoPassPhrase(char*, int, int, void*) { return 0; }

int64_t UnixSeconds(const ASN1_TIME* time) {
  tm broken{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &broken) != 1) return 0;
  return timegm(&broken);
}

}  // namespace

absl::StatusOr<CertificatePtr> ParseCertificate(std::string_view pem, std::string_view from) {
  CertificatePtr certificate(PEM_read_bio_X509(Wrap(pem).get(), nullptr, NoPassPhrase, nullptr));
  ERR_clear_error();
  if (certificate == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("{}: holds no PEM certificate (-----BEGIN CERTIFICATE-----)", from));
  }
  return certificate;
}

absl::StatusOr<KeyPtr> ParsePrivateKey(std::string_view pem, std::string_view from) {
  KeyPtr key(PEM_read_bio_PrivateKey(Wrap(pem).get(), nullptr, NoPassPhrase, nullptr));
  ERR_clear_error();
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("{}: holds no PEM private key without a pass phrase", from));
  }
  return key;
}

int64_t ExpiryUnixS(const X509& certificate) {
  return UnixSeconds(X509_get0_notAfter(&certificate));
}

std::vector<std::string> CertificateFaults(X509& certificate, std::string_view from,
                                           CertificateUse use, int64_t wall_unix_s) {
  std::vector<std::string> faults;
  const int64_t begin = UnixSeconds(X509_get0_notBefore(&certificate));
  const int64_t end = ExpiryUnixS(certificate);
  if (wall_unix_s > end) {
    faults.push_back(fmt::format("{}: the certificate expired at {:%Y-%m-%d %H:%M} UTC", from,
                                 fmt::gmtime(static_cast<time_t>(end))));
  } else if (wall_unix_s < begin) {
    faults.push_back(
        fmt::format("{}: the certificate is valid from {:%Y-%m-%d %H:%M} UTC, which this clock has "
                    "yet to reach",
                    from, fmt::gmtime(static_cast<time_t>(begin))));
  }
  const bool device = use == CertificateUse::kDevice;
  if (use != CertificateUse::kAuthority &&
      X509_check_purpose(&certificate, device ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER,
                         0) != 1) {
    faults.push_back(
        fmt::format("{}: the certificate is not made for a {} (its extended key usage "
                    "is not {}), and no {} takes it",
                    from, device ? "device" : "server", device ? "clientAuth" : "serverAuth",
                    device ? "server" : "device"));
  }
  ERR_clear_error();
  return faults;
}

bool IsKeyOf(EVP_PKEY& key, X509& certificate) {
  const bool matches = X509_check_private_key(&certificate, &key) == 1;
  ERR_clear_error();
  return matches;
}

absl::StatusOr<std::string> DeviceNameIn(const X509& certificate) {
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  const int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (first < 0) {
    return absl::InvalidArgumentError(
        "the certificate has no common name (CN); a device is called by it");
  }
  if (X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0) {
    return absl::InvalidArgumentError(
        "the certificate has more than one common name (CN); a device has one name");
  }
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first)));
  if (size < 0) {
    ERR_clear_error();
    return absl::InvalidArgumentError("the certificate's common name (CN) is no text");
  }
  std::string name(reinterpret_cast<char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  if (!IsName(name)) {
    return absl::InvalidArgumentError(
        fmt::format("the certificate's common name {}", NotAName(name, "have one issued for")));
  }
  return name;
}

}  // namespace gleaner
