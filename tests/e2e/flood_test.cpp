// A device's certificate opens the door, and behind it stands HTTP/2: frames without end, against
// the whole server.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/data/http2_flood.h"
#include "tests/e2e/rig.h"

namespace gleaner::e2e {
namespace {

constexpr uint64_t kMuch = 100 << 20;  // of memory
constexpr uint64_t kSent = 512 << 20;  // what a flood would send if nobody stopped it

TEST(Flood, NoKindOfItTakesTheServersMemoryOrStopsADevice) {
  Rig rig;
  Process& server = rig.StartServer();
  const uint64_t idle = server.MemoryBytes();
  DeviceSetup cart;
  cart.name = "cart-2";
  Process daemon = rig.StartDevice(cart);
  ASSERT_TRUE(Eventually([&] { return !rig.Device("cart-2").empty(); })) << daemon.Log();
  const auto flooder = rig.pki().Device("cart-1");
  for (const Http2Flood& flood : Http2Floods()) {
    server.ForgetPeak();
    const uint64_t before = server.MemoryBytes();
    const uint64_t sent = RawHttp2Client(rig.grpc_port(), flooder).Send(flood, kSent);
    const uint64_t peak = server.PeakMemoryBytes();
    const uint64_t above = peak - std::min(peak, before);
    fmt::print("{}: {} MiB sent, {} MiB more memory\n", flood.name, sent >> 20, above >> 20);
    EXPECT_LT(sent, kSent) << flood.name;
    EXPECT_LE(above, kMuch) << flood.name;
    EXPECT_EQ(rig.Get("/readyz")->first, 200) << flood.name;
  }
  // Nor do all of them together leave much behind.
  EXPECT_TRUE(Eventually([&] { return server.MemoryBytes() < idle + kMuch; }));
  EXPECT_GE(rig.Metric("gleaner_device_connections_ended_total{reason=\"flood\"}"), 1);
  // The device was never cut off.
  EXPECT_EQ(rig.Metric("gleaner_device_connections{state=\"in_use\"}"), 1);
  EXPECT_EQ(daemon.Stop(), 0);
  EXPECT_EQ(server.Stop(), 0);
}

}  // namespace
}  // namespace gleaner::e2e
