// The moments of a camera's frames by the device's clock, whatever the camera's own does.
#include "edge/camera/arrival_clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

#include "common/clock.h"
#include "tests/data/seed.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kMs = kNanosPerMilli;
constexpr int64_t kS = kNanosPerSecond;

// A camera that sends a frame each 40 ms from `start_ns` on, by a clock of its own.
struct Sender {
  ArrivalClock clock;
  double rate = 1;  // seconds that it counts in one
  int64_t pts_ns = 0;
  int64_t last_ns = INT64_MIN;
  int64_t worst_ns = 0;  // error of a moment, since it was set to 0

  // The frame of `true_ns` comes `late_ns` later.
  void Send(int64_t true_ns, int64_t late_ns, int64_t step_ns = 40 * kMs) {
    pts_ns += static_cast<int64_t>(rate * static_cast<double>(step_ns));
    clock.Observe(pts_ns, true_ns + late_ns);
    const int64_t at_ns = clock.Map(pts_ns);
    EXPECT_GT(at_ns, last_ns) << "time doesn't go back";
    last_ns = at_ns;
    worst_ns = std::max(worst_ns, std::abs(at_ns - true_ns));
  }
};

TEST(ArrivalClock, TakesTheLeastDelayForTheTruth) {
  Sender camera;
  // The first arrives 300 ms late, then most by 20, some by 200.
  for (int64_t i = 0; i < 200; ++i) {
    if (i == 50) camera.worst_ns = 0;
    camera.Send(10 * kS + i * 40 * kMs, i == 0 ? 300 * kMs : i % 5 == 0 ? 200 * kMs : 20 * kMs);
  }
  EXPECT_NEAR(camera.worst_ns, 20 * kMs, 1 * kMs);
}

TEST(ArrivalClock, FollowsACrystalThatIsOffByMillionths) {
  for (const double drift : {-100e-6, 100e-6}) {
    Sender camera{.rate = 1 + drift};
    for (int64_t i = 0; i < 25 * 3600; ++i) {
      if (i == 25 * 600) camera.worst_ns = 0;
      camera.Send(i * 40 * kMs, (i % 7) * kMs);
    }
    EXPECT_LT(camera.worst_ns, 4 * kMs) << drift;  // unfollowed it would be 360 ms after an hour
    EXPECT_TRUE(camera.clock.sure());
    EXPECT_NEAR(camera.clock.rate(), 1 - drift, 10e-6);
  }
}

TEST(FieldArrivalClock, FindsAWrongRateInSecondsAndStaysWithinATenthOfASecond) {
  const uint64_t seed = Seed(1);
  std::mt19937_64 random(seed);
  for (const double rate : {0.5, 0.84, 0.97, 1.03, 1.3, 2.0, 4.0}) {
    Sender camera{.rate = rate};
    std::exponential_distribution<double> late_ms(1 / 8.0);
    for (int64_t i = 0; i < 25 * 600; ++i) {
      if (i == 25 * 5) camera.worst_ns = 0;
      camera.Send(i * 40 * kMs, static_cast<int64_t>(late_ms(random) * 1e6));
    }
    EXPECT_LT(camera.worst_ns, 100 * kMs) << rate << ", seed " << seed;
    EXPECT_TRUE(camera.clock.sure()) << rate;
    EXPECT_NEAR(1 / camera.clock.rate(), rate, 0.001 * rate);
  }
}

TEST(FieldArrivalClock, FollowsARateThatChanges) {
  Sender camera{.rate = 0.84};
  for (int64_t i = 0; i < 25 * 300; ++i) camera.Send(i * 40 * kMs, (i % 7) * kMs);
  camera.rate = 1;
  for (int64_t i = 25 * 300; i < 25 * 600; ++i) {
    if (i == 25 * 330) camera.worst_ns = 0;
    camera.Send(i * 40 * kMs, (i % 7) * kMs);
  }
  EXPECT_LT(camera.worst_ns, 100 * kMs);
  EXPECT_NEAR(camera.clock.rate(), 1, 0.002);
}

TEST(FieldArrivalClock, IsNotMisledByABurstAtTheStartOrByAStall) {
  Sender camera;
  // Two seconds that a recorder had kept come within half a second.
  for (int64_t i = 0; i < 50; ++i) camera.Send(i * 40 * kMs, 2000 * kMs - i * 30 * kMs);
  // Then the network stands still for eight seconds in each minute and catches up at once.
  for (int64_t i = 50; i < 25 * 600; ++i) {
    if (i == 25 * 8) camera.worst_ns = 0;
    const int64_t in_minute_ms = i * 40 % 60'000;
    const int64_t late_ms =
        in_minute_ms > 50'000 && in_minute_ms < 58'000 ? 58'000 - in_minute_ms : i % 5;
    camera.Send(i * 40 * kMs, late_ms * kMs);
  }
  EXPECT_LT(camera.worst_ns, 100 * kMs);
  EXPECT_NEAR(camera.clock.rate(), 1, 0.001);
}

TEST(FieldArrivalClock, IsNotMisledByANetworkThatStandsStillTwiceInARow) {
  // Two seconds behind when it goes on for a moment in between; then all is well again.
  Sender camera;
  for (int64_t i = 0; i < 25 * 60; ++i) {
    const int64_t true_ns = 10 * kS + i * 40 * kMs;
    int64_t late_ns = i % 3 * kMs;
    if (i >= 200 && i < 275) late_ns = 10 * kS + 275 * 40 * kMs - true_ns;
    if (i >= 225 && i < 325) late_ns = 10 * kS + 325 * 40 * kMs - true_ns;
    camera.Send(true_ns, late_ns);
  }
  EXPECT_LT(camera.worst_ns, 50 * kMs);
}

TEST(FieldArrivalClock, IsNotMisledByANetworkThatComesBackForAMomentNowAndThen) {
  // It stands still for nine seconds, but for two moments in which it hands out what it has kept.
  Sender camera{.rate = 0.5};
  for (int64_t i = 0; i < 25 * 60; ++i) {
    const int64_t true_ns = 10 * kS + i * 40 * kMs;
    int64_t late_ns = i % 40 * kMs;
    for (const auto& [from, to, arrives] :
         {std::tuple{587, 650, 712}, {650, 738, 803}, {738, 823, 823}}) {
      if (i >= from && i < to) late_ns = 10 * kS + arrives * 40 * kMs - true_ns;
    }
    camera.pts_ns += 20 * kMs;
    EXPECT_EQ(camera.clock.Observe(camera.pts_ns, true_ns + late_ns), 0) << i;
  }
}

TEST(FieldArrivalClock, SaysThatItHadToMoveWhenFramesComeLaterForGood) {
  Sender camera;
  for (int64_t i = 0; i < 25 * 30; ++i) camera.Send(i * 40 * kMs, 0);
  int64_t shift_ns = 0;
  int64_t at = 25 * 30;
  for (; shift_ns == 0 && at < 25 * 60; ++at) {
    camera.pts_ns += 40 * kMs;
    shift_ns = camera.clock.Observe(camera.pts_ns, at * 40 * kMs + 3 * kS);
  }
  EXPECT_NEAR(shift_ns, 3 * kS, 50 * kMs);
  EXPECT_LT(at, 25 * 45) << "ten seconds, and a little";
}

TEST(ArrivalClock, KeepsTheOrderOfFramesThatAreShownOutOfOrderWhileItIsCorrected) {
  ArrivalClock clock;
  int64_t last_shown_ns = INT64_MIN;
  for (int64_t group = 0; group < 100; ++group) {
    // P B b b; the first groups come late, so that the clock has to catch up.
    const int64_t late_ns = group < 3 ? 500 * kMs - group * 150 * kMs : 0;
    std::vector<std::pair<int64_t, int64_t>> moments;
    for (const int64_t frame : {4, 2, 1, 3}) {
      const int64_t pts_ns = (group * 4 + frame) * 40 * kMs;
      clock.Observe(pts_ns, (group + 1) * 160 * kMs + late_ns);
      moments.emplace_back(pts_ns, clock.Map(pts_ns));
    }
    std::sort(moments.begin(), moments.end());
    for (const auto& [pts_ns, at_ns] : moments) {
      EXPECT_GE(at_ns, last_shown_ns) << "group " << group;
      last_shown_ns = at_ns;
    }
  }
}

TEST(ArrivalClock, NeverGoesBackAcrossARestart) {
  ArrivalClock clock;
  clock.Observe(0, 100 * kS);
  const int64_t before_ns = clock.Map(0);
  clock.Restart(/*same_rate=*/true);
  clock.Observe(777 * kS, 99 * kS);
  EXPECT_GT(clock.Map(777 * kS), before_ns);
}

TEST(ArrivalClock, RemembersTheRateAcrossARestartUnlessItIsOfAnotherClock) {
  Sender camera{.rate = 0.5};
  for (int64_t i = 0; i < 25 * 60; ++i) camera.Send(i * 40 * kMs, 0);
  camera.clock.Restart(/*same_rate=*/true);
  EXPECT_EQ(camera.clock.Observe(0, 100 * kS), 0);
  EXPECT_NEAR(camera.clock.Predict(1 * kS), 102 * kS, 10 * kMs);
  camera.clock.Restart(/*same_rate=*/false);
  EXPECT_EQ(camera.clock.Observe(0, 200 * kS), 0);
  EXPECT_EQ(camera.clock.Predict(1 * kS), 201 * kS);
}

}  // namespace
}  // namespace gleaner::edge
