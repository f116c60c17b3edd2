#include "cloud/net/peer_address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace gleaner::cloud {
namespace {

PeerAddress OfV4(const char* host, uint16_t port) {
  sockaddr_storage storage{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET, host, &v4.sin_addr), 1);
  return *PeerAddress::Of(storage);
}

PeerAddress OfV6(const char* host, uint16_t port) {
  sockaddr_storage storage{};
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET6, host, &v6.sin6_addr), 1);
  return *PeerAddress::Of(storage);
}

TEST(PeerAddress, IsTheSameHoweverItIsSaid) {
  EXPECT_EQ(OfV4("10.0.0.7", 4242), PeerAddress::FromGrpc("ipv4:10.0.0.7:4242"));
  // A socket that listens for both kinds says IPv4 so; gRPC doesn't.
  EXPECT_EQ(OfV6("::ffff:10.0.0.7", 4242), PeerAddress::FromGrpc("ipv4:10.0.0.7:4242"));
  EXPECT_EQ(OfV6("2001:db8::1", 1), PeerAddress::FromGrpc("ipv6:%5B2001:db8::1%5D:1"));
  EXPECT_EQ(OfV6("2001:db8::1", 1), PeerAddress::FromGrpc("ipv6:[2001:db8::1]:1"));
  EXPECT_EQ(OfV6("fe80::1", 65535), PeerAddress::FromGrpc("ipv6:%5Bfe80::1%25eth0%5D:65535"));
  EXPECT_NE(OfV4("10.0.0.7", 4242), PeerAddress::FromGrpc("ipv4:10.0.0.7:4243"));
  EXPECT_NE(OfV4("10.0.0.7", 4242), PeerAddress::FromGrpc("ipv4:10.0.0.8:4242"));
}

TEST(PeerAddress, IsNothingElse) {
  for (const char* text :
       {"", "unix:/run/x", "ipv4:", "ipv4:10.0.0.7", "ipv4:10.0.0:1", "ipv4:10.0.0.7:65536",
        "ipv4:10.0.0.7:1x", "ipv6:::1:1", "ipv6:[::1:1", "ipv6:%5B%5D:1", "ipv6:[]:1", "ipv6:]:1",
        "ipv6:[10.0.0.7]:1", "ipv6:%5B::1%5:1"}) {
    EXPECT_EQ(PeerAddress::FromGrpc(text), std::nullopt) << text;
  }
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(PeerAddress::Of(storage), std::nullopt);
}

TEST(PeerAddress, ReadsAsPeopleWriteIt) {
  EXPECT_EQ(OfV6("::ffff:10.0.0.7", 80).ToString(), "10.0.0.7:80");
  EXPECT_EQ(OfV6("2001:db8::1", 80).ToString(), "[2001:db8::1]:80");
  EXPECT_EQ(OfV6("2001:db8::1", 80).HostText(), "2001:db8::1");
}

TEST(PeerAddress, IsCountedByAddressAndInIpv6ByNetwork) {
  EXPECT_EQ(OfV4("10.0.0.7", 1).Network(), OfV4("10.0.0.7", 2).Network());
  EXPECT_NE(OfV4("10.0.0.7", 1).Network(), OfV4("10.0.0.8", 1).Network());
  EXPECT_EQ(OfV6("2001:db8:0:1::1", 1).Network(), OfV6("2001:db8:0:1:ffff::", 2).Network());
  EXPECT_NE(OfV6("2001:db8:0:1::1", 1).Network(), OfV6("2001:db8:0:2::1", 1).Network());
}

}  // namespace
}  // namespace gleaner::cloud
