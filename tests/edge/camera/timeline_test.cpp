#include "edge/camera/timeline.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <vector>

#include "common/status.h"
#include "edge/camera/decode_times.h"
#include "edge/camera/ffmpeg.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kNone = AV_NOPTS_VALUE;
constexpr int64_t kMs = 1'000'000;

TEST(Timeline, LeavesTheSourcesTimesAlone) {
  Timeline timeline;
  timeline.Begin({1, 1000}, 25, 0, 0);
  EXPECT_EQ(timeline.Place(7000, 7000, 40)->pts, 7000);
  EXPECT_EQ(timeline.Place(7080, 7040, 40)->pts, 7080);
  EXPECT_EQ(Message(timeline.Place(7040, 7080, 40).status()), "is shown before it can be decoded");
}

TEST(Timeline, BringsANegativeStartToZero) {
  Timeline timeline;
  timeline.Begin({1, 1000}, 25, 1, 0);
  EXPECT_EQ(timeline.Place(-500, -580, 40)->pts, 0);
  EXPECT_EQ(timeline.Place(-420, -540, 40)->pts, 80);
}

TEST(Timeline, CountsOnWhereTimesAreMissing) {
  Timeline timeline;
  timeline.Begin({1, 1000}, 25, 0, 0);
  for (int i = 0; i < 5; ++i) {
    const auto stamps = timeline.Place(kNone, kNone, 0);
    EXPECT_EQ(stamps->pts, 40 * i);
    EXPECT_EQ(stamps->dts, 40 * i);
    EXPECT_EQ(stamps->duration, 40);
  }
  EXPECT_EQ(timeline.Place(kNone, 300, 0)->pts, 300) << "DTS alone";
  EXPECT_EQ(timeline.Place(340, kNone, 0)->dts, 340) << "PTS alone";
}

TEST(Timeline, NeverBelievesADecodeTimeThatCameLaterThanTheFirstFrame) {
  // As FFmpeg hands out the first frames of Matroska: I P B b b P, the DTS guessed from the third
  // on.
  Timeline timeline;
  timeline.Begin({1, 1000}, 25, 2, 0);
  const std::vector<std::pair<int64_t, int64_t>> packets = {{0, kNone}, {160, kNone}, {80, 0},
                                                            {40, 40},   {120, 80},    {320, 120}};
  std::vector<int64_t> decode_times;
  for (const auto& [pts, dts] : packets) {
    const auto stamps = timeline.Place(pts, dts, 40);
    ASSERT_TRUE(stamps.ok()) << stamps.status();
    EXPECT_EQ(stamps->pts, pts) << "what any other tool shows";
    decode_times.push_back(stamps->dts);
  }
  EXPECT_EQ(decode_times, (std::vector<int64_t>{-80, -40, 0, 40, 80, 120}));
  EXPECT_EQ(timeline.jumps(), 0u);
}

TEST(Timeline, GivesNoTwoFramesTheSameTime) {
  Timeline timeline;
  timeline.Begin({1, 1000}, 25, 0, 0);
  EXPECT_TRUE(timeline.Place(0, kNone, 40).ok());
  EXPECT_TRUE(timeline.Place(40, kNone, 40).ok());
  EXPECT_EQ(Message(timeline.Place(40, kNone, 40).status()),
            "is shown at the same time as another");
  EXPECT_TRUE(timeline.Place(80, kNone, 40).ok());
}

TEST(Timeline, LetsALoopFollowTheDeclaredEndOfTheFile) {
  Timeline timeline;
  timeline.Begin({1, 1000}, 25, 0, 0);
  EXPECT_TRUE(timeline.Place(0, 0, 40).ok());
  EXPECT_TRUE(timeline.Place(40, 40, 0).ok());
  timeline.EndAt(100);  // the last frame is shown for 60
  timeline.Begin({1, 1000}, 25, 0, 0);
  EXPECT_EQ(timeline.Place(0, 0, 40)->pts, 100);
  timeline.EndAt(1'000'000);  // a lie
  timeline.Begin({1, 1000}, 25, 0, 0);
  EXPECT_EQ(timeline.Place(0, 0, 40)->pts, 140);
  EXPECT_EQ(timeline.jumps(), 0u) << "a loop is no jump";
}

TEST(Timeline, GoesOnInTheTicksOfANewFormatAfterAGap) {
  Timeline timeline;
  timeline.Begin({1, 1000}, 25, 0, 0);
  EXPECT_EQ(timeline.Place(5000, 5000, 40)->pts, 5000);
  timeline.Begin({1, 90'000}, 25, 0, 2000 * kMs);
  EXPECT_EQ(timeline.Place(123, 123, 3600)->pts, (5000 + 2000) * 90);
}

TEST(Timeline, PlacesWhatComesAfterAJumpByTheTimeThatHasPassed) {
  Timeline timeline;
  timeline.Begin({1, 1000}, 25, 0, 0);
  EXPECT_EQ(timeline.Place(1000, kNone, 40)->pts, 1000);
  timeline.Jump(80 * kMs);
  EXPECT_EQ(timeline.Place(3'601'000, kNone, 40)->pts, 1080);
  timeline.Jump(-5000 * kMs);
  EXPECT_EQ(timeline.Place(20, kNone, 40)->pts, 1120) << "never before the end of what came before";
  EXPECT_EQ(timeline.jumps(), 2u);
}

TEST(Timeline, KeepsTheReorderedFramesBehindTheFirstOneAfterAJump) {
  Timeline timeline;
  timeline.Begin({1, 1000}, 25, 2, 0);
  EXPECT_TRUE(timeline.Place(0, kNone, 40).ok());
  timeline.Jump(40 * kMs);
  const int64_t first = timeline.Place(500'160, kNone, 40)->pts;
  EXPECT_EQ(timeline.Place(500'080, kNone, 40)->pts, first - 80);
  EXPECT_EQ(timeline.Place(500'120, kNone, 40)->pts, first - 40);
}

TEST(Timeline, ClosesUpAFilesJumpByItsDecodeTimesOrWithoutThemByItsFrames) {
  for (const bool has_dts : {true, false}) {
    Timeline timeline;
    timeline.Begin({1, 1000}, 25, 1, 0);
    const auto place = [&](int64_t pts) { return timeline.Place(pts, has_dts ? pts : kNone, 40); };
    for (int64_t pts = 3000; pts < 5000; pts += 40) EXPECT_TRUE(place(pts).ok());
    int64_t newest = 4960;
    for (int64_t pts = 0; pts < 2000; pts += 40) {
      const auto stamps = place(pts);
      if (!stamps.ok()) continue;
      EXPECT_GT(stamps->pts, newest);
      newest = stamps->pts;
    }
    EXPECT_GT(newest, 6000) << has_dts;
    EXPECT_EQ(timeline.jumps(), 1u);
  }
}

TEST(Timeline, BelievesAFilesLongFrame) {
  Timeline timeline;
  timeline.Begin({1, 1000}, 25, 0, 0);
  EXPECT_TRUE(timeline.Place(0, 0, 40).ok());
  EXPECT_EQ(timeline.Place(60'000, 60'000, 40)->pts, 60'000) << "a frame a minute";
  EXPECT_EQ(timeline.Place(0, 0, 40)->pts, 60'040) << "but not one back";
}

TEST(Timeline, LeavesOutAFrameThatIsShownHoursAfterItWasDecoded) {
  Timeline timeline;
  timeline.Begin({1, 1000}, 25, 2, 0);
  EXPECT_TRUE(timeline.Place(80, 0, 40).ok());
  EXPECT_FALSE(timeline.Place(3'600'120, 40, 40).ok());
  EXPECT_EQ(timeline.Place(160, 80, 40)->pts, 160);
}

TEST(DecodeTimes, AreAsEvenAsTheFramesAndNeverLaterThanThem) {
  DecodeTimes times;
  times.Begin(2, 1000, 40);
  std::vector<int64_t> all;
  for (int64_t group = 0; group < 5; ++group) {
    for (int64_t pts : {160, 80, 40, 120}) all.push_back(*times.Next(1000 + group * 160 + pts));
  }
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i], i < 2 ? 920 + 40 * static_cast<int64_t>(i)
                            : 1000 + 40 * (static_cast<int64_t>(i) - 1));
  }
}

TEST(DecodeTimes, LearnThatFramesAreReorderedMoreDeeplyThanWasSaid) {
  DecodeTimes times;
  times.Begin(0, 0, 40);
  size_t lost = 0;
  std::set<int64_t> seen;
  for (int64_t group = 0; group < 10; ++group) {
    for (int64_t pts : {160, 80, 40, 120}) {
      const std::optional<int64_t> dts = times.Next(group * 160 + pts);
      if (!dts.has_value()) {
        ++lost;
        EXPECT_LT(group, 3) << "only until it is known";
        continue;
      }
      EXPECT_LE(*dts, group * 160 + pts);
      EXPECT_TRUE(seen.empty() || *dts > *seen.rbegin());
      seen.insert(*dts);
    }
  }
  EXPECT_GT(lost, 0u);
}

}  // namespace
}  // namespace gleaner::edge
