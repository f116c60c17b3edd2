#include "cloud/rpc/tls.h"

#include <fmt/format.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <utility>

#include "common/certificate.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxPemBytes = 1 << 20;

struct Certificates {
  CertificatePtr authority;
  CertificatePtr own;
};

absl::StatusOr<Certificates> Read(const TlsFiles& files) {
  ASSIGN_OR_RETURN(const std::string ca, ReadFile(files.ca, kMaxPemBytes));
  ASSIGN_OR_RETURN(const std::string chain, ReadFile(files.certificate, kMaxPemBytes));
  ASSIGN_OR_RETURN(const std::string key_text, ReadSecret(files.key, kMaxPemBytes));
  Certificates read;
  ASSIGN_OR_RETURN(read.authority, ParseCertificate(ca, files.ca));
  ASSIGN_OR_RETURN(read.own, ParseCertificate(chain, files.certificate));
  ASSIGN_OR_RETURN(const KeyPtr key, ParsePrivateKey(key_text, files.key));
  if (!IsKeyOf(*key, *read.own)) {
    return absl::FailedPreconditionError(
        fmt::format("{}: is not the key of the certificate in {}", files.key, files.certificate));
  }
  return read;
}

}  // namespace

absl::Status CheckTlsFiles(const TlsFiles& files, int64_t wall_unix_s,
                           std::vector<std::string>* faults) {
  ASSIGN_OR_RETURN(const Certificates read, Read(files));
  *faults = CertificateFaults(*read.authority, files.ca, CertificateUse::kAuthority, wall_unix_s);
  for (std::string& fault :
       CertificateFaults(*read.own, files.certificate, CertificateUse::kServer, wall_unix_s)) {
    faults->push_back(std::move(fault));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeTlsCredentials(const TlsFiles& files) {
  RETURN_IF_ERROR(Read(files).status());
  // The files are read again from here on: see TlsFiles.
  grpc::experimental::TlsServerCredentialsOptions tls(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          files.key, files.certificate, files.ca, files.reload_s));
  tls.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.watch_root_certs();
  tls.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsServerCredentials(tls);
}

}  // namespace gleaner::cloud
