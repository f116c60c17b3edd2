#include "cloud/rpc/handshake_words.h"

namespace gleaner::cloud {
namespace {

// By what OpenSSL 3 says within gRPC's line.
constexpr struct {
  std::string_view said;
  std::string_view means;
} kMeanings[] = {
    {"peer did not return a certificate", "it showed no certificate"},
    {"certificate verify failed",
     "its certificate is not of the authority in tls.ca, or not valid now"},
    {"alert unknown ca",
     "the device does not trust tls.certificate: its server.ca is of another authority"},
    {"alert bad certificate", "the device does not take tls.certificate"},
    {"alert certificate expired", "the device finds tls.certificate expired"},
    {"http request", "it spoke HTTP: the page has a port of its own (http.listen)"},
    {"wrong version number", "it spoke no TLS"},
    {"packet length too long", "it spoke no TLS"},
    {"unsupported protocol", "it speaks only versions of TLS that are no longer safe"},
    {"no shared cipher", "it has no cipher in common with us"},
};

}  // namespace

std::optional<std::string> HandshakeWords(std::string_view grpc_says) {
  if (!grpc_says.starts_with("Handshake failed")) return std::nullopt;
  for (const auto& [said, means] : kMeanings) {
    if (grpc_says.find(said) == std::string_view::npos) continue;
    return "a connection to the devices' port was refused: " + std::string(means);
  }
  return std::nullopt;
}

}  // namespace gleaner::cloud
