#include "edge/camera/timeline.h"

#include <gtest/gtest.h>

#include <utility>

#include "edge/camera/ffmpeg.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kNone = AV_NOPTS_VALUE;
constexpr int64_t kMs = 1'000'000;

TEST(Timeline, LeavesTheSourcesTimesAlone) {
  Timeline timeline(Timeline::kNoMaxGap);
  timeline.Begin({1, 1000}, 25, 0);
  EXPECT_EQ(timeline.Place(7000, 7000, 40)->pts, 7000);
  EXPECT_EQ(timeline.Place(7080, 7040, 40)->pts, 7080);
  EXPECT_EQ(timeline.Place(7040, 7080, 40), std::nullopt) << "shown before it can be decoded";
}

TEST(Timeline, BringsANegativeStartToZero) {
  Timeline timeline(Timeline::kNoMaxGap);
  timeline.Begin({1, 1000}, 25, 0);
  EXPECT_EQ(timeline.Place(-500, -580, 40)->pts, 0);
  EXPECT_EQ(timeline.Place(-420, -540, 40)->pts, 80);
}

TEST(Timeline, CountsOnWhereTimesAreMissing) {
  Timeline timeline(Timeline::kNoMaxGap);
  timeline.Begin({1, 1000}, 25, 0);
  for (int i = 0; i < 5; ++i) {
    const auto stamps = timeline.Place(kNone, kNone, 0);
    EXPECT_EQ(stamps->pts, 40 * i);
    EXPECT_EQ(stamps->dts, 40 * i);
    EXPECT_EQ(stamps->duration, 40);
  }
  EXPECT_EQ(timeline.Place(kNone, 300, 0)->pts, 300) << "DTS alone";
  EXPECT_EQ(timeline.Place(340, kNone, 0)->dts, 340) << "PTS alone";
}

TEST(Timeline, LetsALoopFollowTheDeclaredEndOfTheFile) {
  Timeline timeline(Timeline::kNoMaxGap);
  timeline.Begin({1, 1000}, 25, 0);
  timeline.Place(0, 0, 40);
  timeline.Place(40, 40, 0);
  timeline.EndAt(100);  // the last frame is shown for 60
  timeline.Begin({1, 1000}, 25, 0);
  EXPECT_EQ(timeline.Place(0, 0, 40)->pts, 100);
  timeline.EndAt(1'000'000);  // a lie
  timeline.Begin({1, 1000}, 25, 0);
  EXPECT_EQ(timeline.Place(0, 0, 40)->pts, 140);
}

TEST(Timeline, GoesOnInTheTicksOfANewFormatAfterAGap) {
  Timeline timeline(kMaxGapNs);
  timeline.Begin({1, 1000}, 25, 0);
  EXPECT_EQ(timeline.Place(5000, 5000, 40)->pts, 5000);
  timeline.Begin({1, 90'000}, 25, 2000 * kMs);
  EXPECT_EQ(timeline.Place(123, 123, 3600)->pts, (5040 + 2000) * 90);
}

TEST(Timeline, ClosesUpALiveCamerasJump) {
  Timeline timeline(kMaxGapNs);
  timeline.Begin({1, 1000}, 25, 0);
  timeline.Place(1000, 1000, 40);
  EXPECT_EQ(timeline.Place(9'000'000, 9'000'000, 40)->pts, 1040);
  EXPECT_EQ(timeline.Place(500, 500, 40)->pts, 1080);
  EXPECT_EQ(timeline.Place(540, 540, 40)->pts, 1120);
  EXPECT_EQ(timeline.Place(520, 520, 40)->pts, 1160) << "however small the step back";
  EXPECT_EQ(timeline.Place(4000, 4000, 40)->pts, 4640) << "a short gap is a gap";
}

TEST(Timeline, KeepsTheGapOfACameraThatFroze) {
  Timeline timeline(kMaxGapNs);
  ArrivalClock clock;
  timeline.Begin({1, 1000}, 25, 0);
  int64_t last_ms = 0;
  const auto arrive = [&](int64_t ms) {
    const auto stamps = timeline.Place(ms, ms, 40, (ms - std::exchange(last_ms, ms)) * kMs);
    return clock.Map(stamps->pts * kMs, (10'000 + ms) * kMs) - 10'000 * kMs;
  };
  for (int64_t ms = 0; ms < 2000; ms += 40) EXPECT_EQ(arrive(ms), ms * kMs);
  EXPECT_EQ(arrive(32'000), 32'000 * kMs) << "closed up, it would be 30 s off for days";
}

TEST(Timeline, BelievesAFilesLongFrame) {
  Timeline timeline(Timeline::kNoMaxGap);
  timeline.Begin({1, 1000}, 25, 0);
  timeline.Place(0, 0, 40);
  EXPECT_EQ(timeline.Place(60'000, 60'000, 40)->pts, 60'000) << "a frame a minute";
  EXPECT_EQ(timeline.Place(0, 0, 40)->pts, 60'040) << "but not one back";
}

TEST(ArrivalClock, TakesTheLeastDelayForTheTruth) {
  ArrivalClock clock;
  // A frame each 40 ms; the first arrives 300 ms late, then most by 20, some by 200.
  int64_t last_ns = 0;
  int64_t error_ns = 0;
  for (int64_t i = 0; i < 200; ++i) {
    const int64_t late_ms = i == 0 ? 300 : i % 5 == 0 ? 200 : 20;
    const int64_t mapped_ns = clock.Map(i * 40 * kMs, (i * 40 + 10'000 + late_ms) * kMs);
    EXPECT_GT(mapped_ns, last_ns);
    last_ns = mapped_ns;
    error_ns = mapped_ns - (i * 40 + 10'020) * kMs;
  }
  EXPECT_NEAR(error_ns, 0, 1 * kMs);
}

TEST(ArrivalClock, FollowsACameraWhoseClockDrifts) {
  for (double drift : {-100e-6, 100e-6}) {
    ArrivalClock clock;
    int64_t error_ns = 0;
    for (int64_t i = 0; i < 25 * 3600; ++i) {
      const int64_t true_ns = i * 40 * kMs;
      const auto camera_ns = static_cast<int64_t>(true_ns * (1 + drift));
      error_ns = clock.Map(camera_ns, true_ns + (i % 7) * kMs) - true_ns;
    }
    EXPECT_NEAR(error_ns, 0, 2 * kMs) << drift;  // unfollowed it would be 360 ms after an hour
  }
}

}  // namespace
}  // namespace gleaner::edge
