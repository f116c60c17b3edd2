#include "edge/trigger/reach.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "edge/trigger/evaluator.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// "motion" is 0 to 1; what else there may be is any number.
ValueRange RangeOfMotion(std::string_view signal) {
  return signal.ends_with("motion") ? ValueRange{0, 1} : ValueRange{};
}
Reach Judge(const std::string& text) { return JudgeReach(*ParseExpression(text), RangeOfMotion); }

TEST(Reach, AThresholdOutsideTheRangeCanNeverHold) {
  EXPECT_EQ(Judge("motion > 1.5").never, "motion > 1.5 can never hold, since motion is 0 to 1");
  for (const char* text :
       {"motion > 1", "motion >= 1.01", "motion < 0", "motion <= -0.5", "motion == 2", "1 < motion",
        "camera.front.motion > 1", "within(2s, motion > 1)", "motion > 0.1 and motion < 0",
        "motion > 2 or (motion < 0 and motion > 0.1)"}) {
    EXPECT_NE(Judge(text).never, "") << text;
  }
}

TEST(Reach, WhatCanHoldIsLeftAlone) {
  for (const char* text :
       {"motion > 0.02", "motion >= 1", "motion <= 0", "motion == 0", "motion != 0",
        "not motion > 0.5", "not motion > 0.5 and not motion <= 0.5", "weight > 100",
        "motion > 0.5 and camera.front.motion < 0.1", "motion >= 0.5 and motion <= 0.5",
        "motion > 0.1 and motion < 0.5 and motion != 0.3",
        "within(2s, motion > 0.5) and motion < 0.1", "motion > camera.front.motion"}) {
    const Reach reach = Judge(text);
    EXPECT_EQ(reach.never, "") << text;
    EXPECT_THAT(reach.idle, IsEmpty()) << text;
  }
}

TEST(Reach, ComparisonsOfOneSignalMayExcludeEachOther) {
  EXPECT_EQ(Judge("motion > 0.5 and motion < 0.1").never,
            "motion > 0.5 and motion < 0.1 can never hold at once");
  for (const char* text :
       {"motion > 0.5 and motion <= 0.5", "motion > 0.5 and not motion > 0.4",
        "0.5 < motion and weight > 3 and (motion <= 0.5 and weight < 9)",
        "motion == 0.5 and motion > 0.5", "motion == 0.1 and motion == 0.2",
        "weight > 3 and weight < 2", "not (not (not motion > 1)) and motion > 0.5 and motion < 0.5",
        "motion > motion", "motion != motion"}) {
    EXPECT_NE(Judge(text).never, "") << text;
  }
}

TEST(Reach, ThePartThatDecidesNothingIsNamed) {
  EXPECT_THAT(Judge("motion > 0.5 or motion > 1").idle,
              ElementsAre("motion > 1 can never hold, since motion is 0 to 1"));
  EXPECT_THAT(Judge("motion >= 0").idle,
              ElementsAre("motion >= 0 always holds, since motion is 0 to 1"));
  EXPECT_THAT(Judge("motion > 0.5 and motion < 2").idle, ElementsAre(HasSubstr("motion < 2")));
  EXPECT_THAT(Judge("motion > 0.5 and not motion > 1").idle, ElementsAre(HasSubstr("motion > 1")));
  // True while the camera has no value: somebody may want just that.
  EXPECT_THAT(Judge("not motion >= 0").idle, IsEmpty());
}

// A random expression over one signal and numbers of a grid that goes beyond its range.
std::string RandomText(std::mt19937& random, int depth) {
  static constexpr std::array kComparisons = {">", ">=", "<", "<=", "==", "!="};
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  if (depth == 0 || pick(3) == 0) {
    return fmt::format("motion {} {}", kComparisons[pick(6)], (pick(7) - 1) * 0.25);
  }
  switch (pick(3)) {
    case 0:
      return fmt::format("not ({})", RandomText(random, depth - 1));
    case 1:
      return fmt::format("({}) and ({})", RandomText(random, depth - 1),
                         RandomText(random, depth - 1));
    default:
      return fmt::format("({}) or ({})", RandomText(random, depth - 1),
                         RandomText(random, depth - 1));
  }
}

// Whether it holds for some value of the grid, halfway between its points, or none at all.
bool HoldsSomewhere(const std::string& text) {
  const std::vector<std::string> signals = {"camera.front.motion"};
  Evaluator evaluator(*ParseExpression(text), signals);
  int64_t now_ns = 0;
  bool holds = evaluator.EvaluateAt(now_ns);
  for (int eighths = 0; eighths <= 8; ++eighths) {
    evaluator.Set(0, eighths / 8.0, Evaluator::kNever);
    holds |= evaluator.EvaluateAt(++now_ns);
  }
  return holds;
}

TEST(Reach, NothingThatCanHoldIsCalledImpossible) {
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  int impossible = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = RandomText(random, 4);
    if (Judge(text).never.empty()) continue;
    ++impossible;
    ASSERT_FALSE(HoldsSomewhere(text)) << text << ", seed " << seed;
  }
  EXPECT_GT(impossible, 100);
}

TEST(Reach, EveryConjunctionThatCantHoldIsFound) {
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  int impossible = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text = RandomText(random, 0);
    for (unsigned more = random() % 3; more > 0; --more) text += " and " + RandomText(random, 0);
    // A point that is excluded by name is not looked for.
    if (text.find("!=") != std::string::npos || HoldsSomewhere(text)) continue;
    ++impossible;
    ASSERT_NE(Judge(text).never, "") << text << ", seed " << seed;
  }
  EXPECT_GT(impossible, 100);
}

}  // namespace
}  // namespace gleaner::edge
