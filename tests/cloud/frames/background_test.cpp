#include "cloud/frames/background.h"

#include <gmock/gmock.h>

#include <random>

#include "frames_testing.h"
#include "tests/data/film.h"

namespace gleaner::cloud {
namespace {

using media::LumaGrid;
using testing::Each;

constexpr auto kUnknown = v1::Frame::BACKGROUND_UNSPECIFIED;
constexpr auto kNo = v1::Frame::BACKGROUND_NO;
constexpr auto kYes = v1::Frame::BACKGROUND_YES;

// Shelves, with noise that is another one for each seed.
LumaGrid Scene(unsigned seed, int light = 0) {
  LumaGrid grid{};
  std::mt19937 random(seed);
  for (size_t i = 0; i < grid.size(); ++i) {
    const int shelf = 60 + static_cast<int>(i / 32) % 8 * 10 + static_cast<int>(i % 32);
    grid[i] = static_cast<uint8_t>(shelf + light + static_cast<int>(random() % 5));
  }
  return grid;
}

// Something stands at (x, y), so many cells wide and high.
LumaGrid With(LumaGrid grid, size_t x, size_t y, size_t side, int brighter = 40) {
  for (size_t row = y; row < y + side; ++row) {
    for (size_t column = x; column < x + side; ++column) {
      uint8_t& cell = grid[row * 32 + column];
      cell = static_cast<uint8_t>(std::min(255, cell + brighter));
    }
  }
  return grid;
}

Background Learnt(size_t samples) {
  Background background;
  for (unsigned i = 0; i < samples; ++i) background.Learn(Scene(i));
  return background;
}

TEST(BackgroundTest, IsNotKnownBeforeAFewQuietFrames) {
  EXPECT_EQ(Learnt(Background::kLeast - 1).Judge(Scene(99)), kUnknown);
  EXPECT_EQ(Learnt(Background::kLeast).Judge(Scene(99)), kYes);
}

TEST(BackgroundTest, WhatStandsThereIsNoBackgroundAndTheLightIs) {
  const Background background = Learnt(8);
  for (int light = -40; light <= 60; light += 20) {
    EXPECT_EQ(background.Judge(Scene(50, light)), kYes) << light;
    EXPECT_EQ(background.Judge(With(Scene(50, light), 10, 12, 4)), kNo) << light;
  }
  EXPECT_EQ(background.Judge(With(Scene(50), 28, 0, 4, 15)), kNo) << "faint, in a corner";
  EXPECT_EQ(background.Judge(With(Scene(50), 5, 5, 1)), kYes) << "a spot";
  EXPECT_EQ(background.Judge(LumaGrid{}), kNo) << "the lens is covered";
}

TEST(BackgroundTest, AThingThatStaysForAFewFramesNeverGetsIntoIt) {
  Background background = Learnt(Background::kMost);
  for (unsigned i = 0; i < Background::kMost / 2; ++i) {
    background.Learn(With(Scene(100 + i), 10, 12, 5));
  }
  EXPECT_EQ(background.Judge(Scene(7)), kYes);
  EXPECT_EQ(background.Judge(With(Scene(7), 10, 12, 5)), kNo);
}

TEST(BackgroundTest, ItFollowsWhatChangesForGood) {
  Background background = Learnt(Background::kMost);
  const auto moved = [](unsigned seed) { return With(Scene(seed), 2, 2, 12, 50); };
  EXPECT_EQ(background.Judge(moved(1)), kNo);
  for (unsigned i = 0; i <= Background::kMost / 2 + 1; ++i) background.Learn(moved(i));
  EXPECT_EQ(background.Judge(moved(1)), kYes);
  EXPECT_EQ(background.Judge(Scene(1)), kNo);
  EXPECT_EQ(background.learnt(), Background::kMost);
}

TEST(BackgroundTest, ComesBackFromItsBytesTheSame) {
  const Background background = Learnt(5);
  const Background again(background.Serialize());
  EXPECT_EQ(again.learnt(), 5u);
  EXPECT_EQ(again.Serialize(), background.Serialize());
  EXPECT_EQ(again.Judge(Scene(9)), kYes);
  EXPECT_EQ(Background("damaged").learnt(), 0u);
  EXPECT_EQ(Background(std::string(100 * sizeof(LumaGrid), 'x')).learnt(), Background::kMost);
}

TEST(BackgroundTest, AClipTeachesItsFirstAndItsLastQuietFrameAndOnlyOnce) {
  std::vector<media::ChosenFrame> frames(5);
  for (unsigned i = 0; i < 5; ++i) {
    frames[i] = {.pts = i, .exposure = 0.5, .motion = 0.2, .grid = Scene(i)};
  }
  Background background;
  EXPECT_THAT(JudgeClip(frames, true, background), Each(kUnknown));
  EXPECT_EQ(background.learnt(), 0u) << "all of it moves";
  for (auto& frame : frames) frame.motion = 0;
  frames[0].blocked = 1;
  EXPECT_THAT(JudgeClip(frames, false, background), Each(kUnknown));
  EXPECT_EQ(background.learnt(), 0u);
  JudgeClip(frames, true, background);
  Background expected;
  expected.Learn(Scene(1));
  expected.Learn(Scene(4));
  EXPECT_EQ(background.Serialize(), expected.Serialize());
}

// Clips of a camera that sees a still scene, and in the middle of some something.
class BackgroundOfClipsTest : public FramesRig {
 protected:
  std::string Clip(uint64_t sequence, const std::string& filter, const std::string& device) {
    const std::string path = folder_ / "scene.mp4";
    const std::string still = folder_ / "still.png";
    RunFfmpeg(fmt::format("-i '{}' -frames:v 1 '{}'", Footage("cup.mp4"), still));
    RunFfmpeg(fmt::format(
        "-loop 1 -i '{}' -t 4 -r 10 -vf \"scale=640:480,{}noise=alls=6:allf=t:all_seed={}\" "
        "-pix_fmt yuv420p -c:v libx264 -preset veryfast -g 20 {} '{}'",
        still, filter, sequence, kFragmented, path));
    track_ = TrackOf(path);
    track_.set_first_frame_monotonic_ns(1'000);
    track_.set_last_frame_monotonic_ns(1'000 + 3'900'000'000);
    return AddClip({.device = device, .sequence = sequence, .video = *ReadFile(path, 10 << 20)});
  }
};

TEST_F(BackgroundOfClipsTest, FramesThatShowNothingButTheEmptySceneAreMarked) {
  Start();
  Clip(1, "", "cart-1");
  WaitFor(1);
  Clip(2, "eq=brightness=0.05,", "cart-1");
  WaitFor(2);
  const std::string clip = Clip(
      3, "drawbox=x=200:y=150:w=120:h=160:c=orange:t=fill:enable='between(t,0.8,2.6)',", "cart-1");
  WaitFor(3);
  size_t empty = 0;
  for (const v1::Frame& frame : FramesOf(clip)) {
    const bool shows = frame.offset_s() > 0.75 && frame.offset_s() < 2.65;
    EXPECT_EQ(frame.background(), shows ? kNo : kYes) << frame.offset_s();
    empty += shows ? 0 : 1;
  }
  EXPECT_GT(empty, 0u);
  EXPECT_LT(empty, FramesOf(clip).size());
  // Another camera has its own.
  const std::string other = Clip(1, "", "cart-2");
  WaitFor(4);
  for (const v1::Frame& frame : FramesOf(other)) EXPECT_EQ(frame.background(), kUnknown);
  // A clip that is looked at again teaches nothing twice, and is judged by what is known now.
  CheckAgain(other);
  WaitFor(5);
  for (const v1::Frame& frame : FramesOf(other)) EXPECT_EQ(frame.background(), kUnknown);
}

}  // namespace
}  // namespace gleaner::cloud
