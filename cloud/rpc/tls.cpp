#include "cloud/rpc/tls.h"

#include <fmt/format.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "common/certificate.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxPemBytes = 1 << 20;

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeTlsCredentials(const TlsFiles& files) {
  ASSIGN_OR_RETURN(const std::string ca, ReadFile(files.ca, kMaxPemBytes));
  ASSIGN_OR_RETURN(const std::string chain, ReadFile(files.certificate, kMaxPemBytes));
  ASSIGN_OR_RETURN(const std::string key_text, ReadSecret(files.key, kMaxPemBytes));
  RETURN_IF_ERROR(ParseCertificate(ca, files.ca).status());
  ASSIGN_OR_RETURN(const CertificatePtr certificate, ParseCertificate(chain, files.certificate));
  ASSIGN_OR_RETURN(const KeyPtr key, ParsePrivateKey(key_text, files.key));
  if (!IsKeyOf(*key, *certificate)) {
    return absl::FailedPreconditionError(
        fmt::format("{}: is not the key of the certificate in {}", files.key, files.certificate));
  }
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
