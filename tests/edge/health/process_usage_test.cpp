#include "edge/health/process_usage.h"

#include <gtest/gtest.h>

#include <ctime>

namespace gleaner::edge {
namespace {

TEST(ProcessMeter, TellsTheShareOfACoreSinceTheLastTime) {
  FakeClock clock;
  ProcessMeter meter(clock);
  EXPECT_EQ(meter.Read().cpu_percent, 0) << "no time has passed";
  EXPECT_EQ(meter.Read().uptime_s, 0);
  const std::clock_t begun = std::clock();
  while (std::clock() - begun < CLOCKS_PER_SEC / 10) {
  }
  clock.Advance(kNanosPerSecond);
  const ProcessUsage busy = meter.Read();
  EXPECT_GE(busy.cpu_percent, 9.9);
  EXPECT_EQ(busy.uptime_s, 1);
  EXPECT_GT(busy.rss_bytes, 1u << 20);
  clock.Advance(3600 * kNanosPerSecond);
  EXPECT_LT(meter.Read().cpu_percent, busy.cpu_percent) << "of the hour, not since the start";
  EXPECT_EQ(meter.Read().uptime_s, 3601);
}

}  // namespace
}  // namespace gleaner::edge
