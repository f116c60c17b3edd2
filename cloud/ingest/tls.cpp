#include "cloud/ingest/tls.h"

#include <fmt/format.h>
#include <grpcpp/resource_quota.h>
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

DeviceListenerOptions DeviceListenerOptions::Read(ConfigReader& reader) {
  DeviceListenerOptions options;
  options.address = reader.String("address", options.address);
  options.plaintext = reader.Bool("plaintext", options.plaintext);
  options.memory_bytes =
      reader.Bytes("memory", options.memory_bytes, {.min = 32 << 20, .max = 1ll << 40});
  if (options.plaintext) {
    options.ca = reader.String("ca", "");
    options.certificate = reader.String("certificate", "");
    options.key = reader.String("key", "");
    if (!IsLoopback(options.address)) {
      reader.Error("plaintext", fmt::format("is for loopback only, and address is {}: without TLS "
                                            "anyone could be any device",
                                            options.address));
    }
    return options;
  }
  options.ca = reader.RequiredString("ca");
  options.certificate = reader.RequiredString("certificate");
  options.key = reader.RequiredString("key");
  return options;
}

bool IsLoopback(std::string_view address) {
  if (address.starts_with("unix:")) return true;
  std::string_view host = address;
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else if (const size_t colon = host.find(':');
             colon != std::string_view::npos &&
             host.find(':', colon + 1) == std::string_view::npos) {
    host = host.substr(0, colon);
  }
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

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
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = ca;
  tls.pem_key_cert_pairs.push_back({key_text, chain});
  return grpc::SslServerCredentials(tls);
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
  // A new handshake an hour, so that certificates which were replaced or revoked take effect.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, 3'600'000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 30'000);
}

}  // namespace gleaner::cloud
