// A camera's URL: whatever somebody has pasted, what is shown of it is a host, and what is asked of
// the camera is one line without a login.
#include "common/status.h"
#include "edge/camera/camera_address.h"
#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {
std::vector<std::string> Seeds() { return {}; }
}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  const auto address = edge::CameraAddress::Parse(fuzz::AsText(data, size));
  if (!address.ok()) {
    REQUIRE(absl::IsInvalidArgument(address.status()));
    REQUIRE(fuzz::IsPlain(Message(address.status())));
    return 0;
  }
  ++fuzz::accepted;
  REQUIRE(!address->shown().empty() && fuzz::IsPlain(address->shown()));
  if (address->kind() != edge::SourceKind::kRtsp) {
    REQUIRE(!address->has_login());
    return 0;
  }
  const std::string& shown = address->shown();
  REQUIRE(shown.starts_with(address->tls() ? "rtsps://" : "rtsp://"));
  REQUIRE(shown.find_first_of("/?#@ ", shown.find("//") + 2) == std::string::npos);
  REQUIRE(!address->host().empty() && address->port() > 0);
  REQUIRE(address->uri().starts_with(shown));
  REQUIRE(address->uri().find_first_of(" \"\\") == std::string::npos);
  REQUIRE(fuzz::IsPlain(address->uri()) && fuzz::IsPlain(address->user()));
  // The login is gone from it, and nothing else.
  if (address->uri().size() > 2048) return 0;  // encoding has made it longer than one may be
  const auto again = edge::CameraAddress::Parse(address->uri());
  REQUIRE(again.ok() && !again->has_login());
  REQUIRE(again->host() == address->host() && again->port() == address->port());
  REQUIRE(again->uri() == address->uri());
  return 0;
}
