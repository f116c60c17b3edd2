#include "edge/upload/trouble.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "common/status.h"
#include "edge/upload/link.h"

namespace gleaner::edge {
namespace {

constexpr std::string_view kUnreachable = "no connection to ";
// How gRPC 1.51 begins where no connection came about.
constexpr std::string_view kNoConnection = "failed to connect to all addresses";
constexpr std::string_view kNoName = "DNS resolution failed";

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// "…; last error: UNKNOWN: ipv4:127.0.0.1:7443: Connection refused" → "Connection refused": what
// comes after the last address. The whole where there is none.
std::string_view Innermost(std::string_view text) {
  for (const std::string_view scheme : {"ipv4:", "ipv6:"}) {
    const size_t address = text.rfind(scheme);
    const size_t end = address == std::string_view::npos ? address : text.find(": ", address);
    if (end != std::string_view::npos) return text.substr(end + 2);
  }
  return text;
}

// Why no connection came about: what gRPC says of it, read by what is in it.
std::string Why(std::string_view said, const LinkOptions& link) {
  if (said.starts_with(kNoName)) return "its name is not known here; server.address says it";
  if (Has(said, "certificate verify failed")) {
    return fmt::format(
        "its certificate is not of the authority in {} (server.ca), or not valid now", link.ca);
  }
  if (Has(said, "is not in peer certificate") || Has(said, "Hostname Verification")) {
    return "its certificate is for another name; server.server_name says which one to expect";
  }
  if (Has(said, "wrong version number") || Has(said, "http request")) {
    return "what answers there speaks no TLS: is this the devices' port?";
  }
  if (Has(said, "Socket closed") || Has(said, "Connection reset") || Has(said, "alert")) {
    if (link.plaintext) return "it hung up: is this the devices' port, and does it want TLS?";
    return fmt::format(
        "it hung up: is this the devices' port, and does the server's tls.ca vouch for {} "
        "(server.certificate)?",
        link.certificate);
  }
  const std::string_view inner = Innermost(said);
  if (Has(inner, "Connection refused")) return "nobody listens there (Connection refused)";
  return std::string(inner);
}

}  // namespace

absl::Status InWords(const grpc::Status& status, const LinkOptions& link) {
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  const std::string said = status.error_message();
  if (code == absl::StatusCode::kUnavailable &&
      (said.starts_with(kNoConnection) || said.starts_with(kNoName))) {
    return absl::UnavailableError(
        fmt::format("{}{}: {}", kUnreachable, link.server, Why(said, link)));
  }
  if (code == absl::StatusCode::kUnavailable && said == "Socket closed") {
    return absl::UnavailableError(fmt::format("the connection to {} broke off", link.server));
  }
  if (code == absl::StatusCode::kDeadlineExceeded && said == "Deadline Exceeded") {
    return absl::DeadlineExceededError(fmt::format("{} gave no answer in time", link.server));
  }
  return absl::Status(code, said);
}

bool IsUnreachable(const absl::Status& status) {
  return absl::IsUnavailable(status) && Message(status).starts_with(kUnreachable);
}

}  // namespace gleaner::edge
