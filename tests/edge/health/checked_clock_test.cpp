#include "edge/health/checked_clock.h"

#include <gtest/gtest.h>

namespace gleaner::edge {
namespace {

class CheckedClockTest : public testing::Test {
 protected:
  // An answer now, after a round trip of `rtt_ns`, from a server whose clock is `ahead_ns` ahead of
  // ours.
  void Answer(int64_t ahead_ns, int64_t rtt_ns) {
    const int64_t now = base_.MonotonicNs();
    clock_.Check(base_.WallNs() - rtt_ns / 2 + ahead_ns, now - rtt_ns, now);
  }

  FakeClock base_;
  CheckedClock clock_{base_};
};

TEST_F(CheckedClockTest, SaysWhatTheKernelSaysUntilItIsChecked) {
  EXPECT_EQ(clock_.WallUncertaintyNs(), kNanosPerMilli);
  base_.SetWallUncertainty(0);
  EXPECT_EQ(clock_.WallUncertaintyNs(), 0);
}

TEST_F(CheckedClockTest, KnowsItsErrorWhereTheKernelDoesNot) {
  base_.SetWallUncertainty(0);
  Answer(0, 40 * kNanosPerMilli);
  EXPECT_EQ(clock_.WallUncertaintyNs(), 20 * kNanosPerMilli);
}

TEST_F(CheckedClockTest, IsAsUnsureAsItIsWrong) {
  base_.SetWallUncertainty(0);
  Answer(3600 * kNanosPerSecond, 40 * kNanosPerMilli);
  EXPECT_EQ(clock_.WallUncertaintyNs(), 3600 * kNanosPerSecond + 20 * kNanosPerMilli);
  // Somebody sets the clock: right at once, without another check.
  base_.StepWall(3600 * kNanosPerSecond);
  EXPECT_EQ(clock_.WallUncertaintyNs(), 20 * kNanosPerMilli);
  base_.StepWall(-10 * kNanosPerSecond);
  EXPECT_EQ(clock_.WallUncertaintyNs(), 10 * kNanosPerSecond + 20 * kNanosPerMilli);
}

TEST_F(CheckedClockTest, GrowsLessSureWithTime) {
  base_.SetWallUncertainty(0);
  Answer(0, 2 * kNanosPerMilli);
  base_.Advance(1000 * kNanosPerSecond);
  EXPECT_EQ(clock_.WallUncertaintyNs(), kNanosPerMilli + 100 * kNanosPerMilli);
}

TEST_F(CheckedClockTest, KeepsTheBetterOfTwoChecks) {
  base_.SetWallUncertainty(0);
  Answer(0, 2 * kNanosPerMilli);
  Answer(0, 600 * kNanosPerMilli);
  EXPECT_EQ(clock_.WallUncertaintyNs(), kNanosPerMilli);
  // Until drift has made the old one the worse.
  base_.Advance(10'000 * kNanosPerSecond);
  Answer(0, 600 * kNanosPerMilli);
  EXPECT_EQ(clock_.WallUncertaintyNs(), 300 * kNanosPerMilli);
}

TEST_F(CheckedClockTest, BelievesNoAnswerWithoutATime) {
  base_.SetWallUncertainty(0);
  clock_.Check(0, 1, 2);
  clock_.Check(1, 2, 1);
  EXPECT_EQ(clock_.WallUncertaintyNs(), 0);
}

}  // namespace
}  // namespace gleaner::edge
