// X.509 certificates and private keys from PEM text, and the name in a device's.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace gleaner {

struct OpensslFree {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using CertificatePtr = std::unique_ptr<X509, OpensslFree>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree>;

// The first certificate in `pem`. `from` says in errors where it is from, for example a path.
// INVALID_ARGUMENT if there is none.
absl::StatusOr<CertificatePtr> ParseCertificate(std::string_view pem, std::string_view from);

// A key without a pass phrase: a daemon has no terminal to ask for one. INVALID_ARGUMENT if there
// is none.
absl::StatusOr<KeyPtr> ParsePrivateKey(std::string_view pem, std::string_view from);

// When it ends, in seconds since 1970; 0 if it doesn't say.
int64_t ExpiryUnixS(const X509& certificate);

enum class CertificateUse { kAuthority, kDevice, kServer };

// Why nobody would take it, though it can be read: its dates, or that it is made for another use. A
// sentence each, with `from` before it. An authority's use is not looked at.
std::vector<std::string> CertificateFaults(X509& certificate, std::string_view from,
                                           CertificateUse use, int64_t wall_unix_s);

bool IsKeyOf(EVP_PKEY& key, X509& certificate);

// What the device is called: the common name of its certificate. There must be exactly one, and it
// must be a name (see IsName): of two, one reader would believe the first and another the last.
// Alternative names mean nothing here. INVALID_ARGUMENT says what is wrong.
absl::StatusOr<std::string> DeviceNameIn(const X509& certificate);

}  // namespace gleaner
