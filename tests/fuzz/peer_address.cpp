// A peer's address as gRPC says it: what is understood is counted and compared, so it must mean the
// same however it is written.
#include "cloud/net/peer_address.h"

#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {

std::vector<std::string> Seeds() {
  return {"ipv4:10.0.0.7:4242", "ipv6:%5B2001:db8::1%5D:1", "ipv6:[fe80::1%25eth0]:65535",
          "ipv6:[::ffff:10.0.0.7]:80", "unix:/run/gleaner"};
}

}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  const auto peer = cloud::PeerAddress::FromGrpc(fuzz::AsText(data, size));
  if (!peer) return 0;
  ++fuzz::accepted;
  REQUIRE(fuzz::IsPlain(peer->ToString()));
  REQUIRE(cloud::PeerAddress::FromGrpc((peer->IsIpv4() ? "ipv4:" : "ipv6:") + peer->ToString()) ==
          peer);
  REQUIRE(peer->Network().Network() == peer->Network() && peer->Network().port == 0);
  REQUIRE(peer->Network().IsIpv4() == peer->IsIpv4());
  return 0;
}
