// Which stamp is believed after which, and what a picture's is that has none. 25 frames a second at
// 90 kHz; pictures count by two, as H.264's frames do.
#include "edge/camera/stamp_run.h"

#include <gtest/gtest.h>

#include "common/clock.h"
#include "edge/camera/ffmpeg.h"

namespace gleaner::edge {
namespace {

constexpr int64_t kMs = kNanosPerMilli;
constexpr int64_t kFrame = 3600;

class FieldStampRun : public ::testing::Test {
 protected:
  // The n-th picture, ten to a period, stamped and come when it was taken.
  static StampedPicture Picture(int64_t n) {
    return {n * kFrame, n * 40 * kMs, {n / 10, n % 10 * 2}};
  }
  void Take(int64_t from, int64_t to) {
    for (int64_t n = from; n < to; ++n) run_.Take(Picture(n));
  }
  bool Fits(const StampedPicture& picture, size_t between = 0) const {
    return run_.Fits(picture, clock_, /*knows=*/false, between);
  }

  ArrivalClock clock_;
  StampRun run_{{1, 90'000}, 40 * kMs, /*ordered=*/true};
};

TEST_F(FieldStampRun, BelievesTheNextOneAndALittleJitterAndAFewLostOnes) {
  Take(0, 15);
  StampedPicture next = Picture(15);
  EXPECT_TRUE(Fits(next));
  next.pts += 2 * kFrame;
  EXPECT_TRUE(Fits(next));
  next.pts = Picture(15).pts + 100 * kFrame;
  EXPECT_FALSE(Fits(next)) << "four seconds ahead";
  next.pts = AV_NOPTS_VALUE;
  EXPECT_FALSE(Fits(next));
}

TEST_F(FieldStampRun, BelievesNoStampThatAnotherHasOrThatPutsItBeforeWhatIsShownBefore) {
  Take(0, 15);
  StampedPicture next = Picture(15);
  next.pts = Picture(14).pts;
  EXPECT_FALSE(Fits(next));
  next.pts = Picture(14).pts - 100;
  EXPECT_FALSE(Fits(next));
}

TEST_F(FieldStampRun, WantsRoomForThePicturesBetween) {
  Take(0, 15);
  StampedPicture later = Picture(17);
  later.pts = Picture(14).pts + 3;
  EXPECT_TRUE(Fits(later, 2));
  later.pts = Picture(14).pts + 2;
  EXPECT_FALSE(Fits(later, 2));
  EXPECT_TRUE(Fits(later, 1));
}

TEST_F(FieldStampRun, NoticesThatCountsBeginAnewThoughTheirKeyframeWasLost) {
  Take(0, 10);
  EXPECT_FALSE(run_.BeginsAnew(Picture(9)));
  // Picture 10, with which the next period began, never came.
  StampedPicture lost = Picture(11);
  lost.place.period = 0;
  EXPECT_TRUE(run_.BeginsAnew(lost));
  EXPECT_TRUE(Fits(lost));
  // One that is stamped half a frame later than it should be, for all its place.
  StampedPicture shaken = Picture(8);
  shaken.pts = Picture(9).pts + kFrame / 2;
  EXPECT_FALSE(run_.BeginsAnew(shaken));
  EXPECT_FALSE(Fits(shaken));
}

TEST_F(FieldStampRun, GuessesByThePlaceBetweenItsNeighbours) {
  Take(0, 4);
  Take(6, 9);
  EXPECT_EQ(run_.Guess(Picture(4)), Picture(4).pts);
  run_.Take(Picture(4));
  EXPECT_EQ(run_.Guess(Picture(5)), Picture(5).pts);
  EXPECT_EQ(run_.Guess(Picture(9)), Picture(9).pts) << "after all others";
}

TEST_F(FieldStampRun, GuessesBetweenPicturesOfTwoPeriods) {
  Take(3, 10);
  Take(11, 13);
  EXPECT_EQ(run_.Guess(Picture(10)), Picture(10).pts) << "by those of its own";
  // Stamps shake: the two beside it are closer than a frame.
  StampRun shaken({1, 90'000}, 40 * kMs, /*ordered=*/true);
  StampedPicture before = Picture(9), after = Picture(11);
  before.pts += kFrame;
  after.pts -= kFrame / 2;
  shaken.Take(before);
  shaken.Take(after);
  const int64_t guessed = shaken.Guess(Picture(10));
  EXPECT_GT(guessed, before.pts);
  EXPECT_LT(guessed, after.pts);
}

TEST_F(FieldStampRun, GuessesOnItsSideOfAGap) {
  Take(0, 10);
  // The network stood still after picture 10, the first of a period.
  StampedPicture after = Picture(11);
  after.arrival_ns += 5000 * kMs;
  run_.Take(after);
  EXPECT_EQ(run_.Guess(Picture(10)), Picture(10).pts);

  // Two seconds were lost, a keyframe among them: counts of before say nothing of after.
  StampRun lossy({1, 90'000}, 40 * kMs, /*ordered=*/true);
  for (int64_t n = 0; n < 8; ++n) lossy.Take(Picture(n));
  StampedPicture next = Picture(58);
  next.place = {0, 19};
  lossy.Take(next);
  StampedPicture first = Picture(57);
  first.place = {0, 17};
  EXPECT_EQ(lossy.Guess(first), first.pts);
}

TEST_F(FieldStampRun, GuessesNoStampThatAnotherHas) {
  Take(0, 10);
  StampedPicture once_more = Picture(9);
  once_more.place = Picture(10).place;
  EXPECT_EQ(run_.Guess(once_more), Picture(10).pts);
  run_.Take(Picture(10));
  EXPECT_EQ(run_.Guess(once_more), Picture(10).pts + 1);
}

}  // namespace
}  // namespace gleaner::edge
