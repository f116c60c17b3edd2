#include "cloud/net/listen_address.h"

#include <gtest/gtest.h>

#include "common/status.h"

namespace gleaner::cloud {
namespace {

TEST(ListenAddress, ReadsAddressesAndPorts) {
  EXPECT_EQ(ParseListenAddress("127.0.0.1:8080")->ToString(), "127.0.0.1:8080");
  EXPECT_EQ(ParseListenAddress("localhost:1")->ToString(), "127.0.0.1:1");
  EXPECT_EQ(ParseListenAddress("[::1]:443")->ToString(), "[::1]:443");
  EXPECT_EQ(ParseListenAddress("0.0.0.0:0")->port, 0);
}

TEST(ListenAddress, KnowsWhatOtherMachinesCanReach) {
  for (const char* text : {"127.0.0.1:1", "127.8.9.1:1", "[::1]:1", "localhost:1"}) {
    EXPECT_TRUE(ParseListenAddress(text)->IsLoopback()) << text;
  }
  for (const char* text : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:127.0.0.1]:1"}) {
    EXPECT_FALSE(ParseListenAddress(text)->IsLoopback()) << text;
  }
}

TEST(ListenAddress, RefusesWhatIsNone) {
  for (const char* text : {"", "127.0.0.1", "8080", "::1:80", "example.com:80", "127.0.0.1:65536",
                           "127.0.0.1:-1", "127.0.0.1:", "127.0.0.1:80x", ":80", "[]:80", "[::1:80",
                           "::1]:80", "[127.0.0.1:80", "127.0.0.1]:80"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseListenAddress(text).status())) << text;
  }
}

}  // namespace
}  // namespace gleaner::cloud
