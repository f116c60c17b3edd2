#include "cloud/ingest/tls.h"

#include <fmt/format.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxPemBytes = 1 << 20;
constexpr int kMaxMessageBytes = 4 << 20;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

Owned<BIO> Memory(const std::string& text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

absl::StatusOr<Owned<X509>> ParseCertificate(const std::string& path, const std::string& pem) {
  Owned<X509> certificate(PEM_read_bio_X509(Memory(pem).get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("{} holds no certificate (-----BEGIN CERTIFICATE-----)", path));
  }
  return certificate;
}

int NoPassword(char*, int, int, void*) { return 0; }

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const DeviceListenerOptions& options) {
  if (options.plaintext) return grpc::InsecureServerCredentials();
  ASSIGN_OR_RETURN(const std::string ca, ReadFile(options.ca, kMaxPemBytes));
  ASSIGN_OR_RETURN(const std::string chain, ReadFile(options.certificate, kMaxPemBytes));
  ASSIGN_OR_RETURN(const std::string key_text, ReadFile(options.key, kMaxPemBytes));
  RETURN_IF_ERROR(ParseCertificate(options.ca, ca).status());
  ASSIGN_OR_RETURN(const Owned<X509> certificate, ParseCertificate(options.certificate, chain));
  const Owned<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(Memory(key_text).get(), nullptr, &NoPassword, nullptr));
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("{} holds no private key without a password", options.key));
  }
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return absl::FailedPreconditionError(
        fmt::format("{} is not the key of {}", options.key, options.certificate));
  }
  // The files are read again from here on: see DeviceListenerOptions.
  grpc::experimental::TlsServerCredentialsOptions tls(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          options.key, options.certificate, options.ca, options.reload_s));
  tls.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.watch_root_certs();
  tls.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsServerCredentials(tls);
}

void AddDeviceListener(grpc::ServerBuilder& builder, const DeviceListenerOptions& options,
                       const std::shared_ptr<grpc::ServerCredentials>& credentials, int* port) {
  builder.AddListeningPort(options.address, credentials, port);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  builder.SetResourceQuota(
      grpc::ResourceQuota("devices").Resize(static_cast<size_t>(options.memory_bytes)));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A device needs one stream and a unary call or two at a time.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 16);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 8 << 10);
  // Devices ping every 30 s; a connection that answers no ping for 20 s is dead.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 15'000);
  // A new handshake an hour, so that replaced files take effect for every device.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, 3'600'000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 30'000);
}

}  // namespace gleaner::cloud
