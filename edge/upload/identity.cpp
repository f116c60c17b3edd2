#include "edge/upload/identity.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <time.h>

#include <memory>

#include "common/file.h"
#include "common/status.h"

namespace gleaner::edge {
namespace {

constexpr size_t kMaxPemBytes = 1 << 20;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using BioPtr = std::unique_ptr<BIO, Free>;
using X509Ptr = std::unique_ptr<X509, Free>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free>;

BioPtr Wrap(const std::string& pem) {
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// A daemon has no terminal to ask for a pass phrase: an encrypted key is an error.
int NoPassPhrase(char*, int, int, void*) { return 0; }

int64_t UnixSeconds(const ASN1_TIME* time) {
  tm broken{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &broken) != 1) return 0;
  return timegm(&broken);
}

std::string CommonName(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return "";
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
  if (size < 0) return "";
  std::string name(reinterpret_cast<char*>(text), size);
  OPENSSL_free(text);
  return name;
}

absl::StatusOr<X509Ptr> ParseCertificate(const std::string& path, const std::string& pem) {
  X509Ptr certificate(PEM_read_bio_X509(Wrap(pem).get(), nullptr, NoPassPhrase, nullptr));
  ERR_clear_error();
  if (certificate == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("{}: holds no PEM certificate (-----BEGIN CERTIFICATE-----)", path));
  }
  return certificate;
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
  ASSIGN_OR_RETURN(identity.key_pem, ReadFile(key, kMaxPemBytes));

  ASSIGN_OR_RETURN(const X509Ptr authority, ParseCertificate(ca, identity.ca_pem));
  ASSIGN_OR_RETURN(const X509Ptr own, ParseCertificate(certificate, identity.certificate_pem));
  const KeyPtr own_key(
      PEM_read_bio_PrivateKey(Wrap(identity.key_pem).get(), nullptr, NoPassPhrase, nullptr));
  const bool matches = own_key != nullptr && X509_check_private_key(own.get(), own_key.get()) == 1;
  ERR_clear_error();
  if (own_key == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("{}: holds no PEM private key without a pass phrase", key));
  }
  if (!matches) {
    return absl::InvalidArgumentError(
        fmt::format("{}: is not the key of the certificate in {}", key, certificate));
  }

  identity.name = CommonName(own.get());
  identity.not_after_unix_s = UnixSeconds(X509_get0_notAfter(own.get()));
  CheckDates(ca, authority.get(), wall_unix_s, &identity.warnings);
  CheckDates(certificate, own.get(), wall_unix_s, &identity.warnings);
  struct stat info {};
  if (stat(key.c_str(), &info) == 0 && (info.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    identity.warnings.push_back(
        fmt::format("{}: every user of this machine may read the key", key));
  }
  return identity;
}

}  // namespace gleaner::edge
