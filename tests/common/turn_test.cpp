#include "common/turn.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gleaner {
namespace {

// The matrix that shows a point (x, y) at (a·x + c·y, b·x + d·y).
std::vector<int32_t> Matrix(int a, int b, int c, int d, int scale = 65536) {
  return {a * scale, b * scale, 0, c * scale, d * scale, 0, 0, 0, 1 << 30};
}

std::string Turned(const std::vector<int32_t>& matrix) {
  // abc
  // def
  const std::string plane = "abc.def.";
  const Turn turn = TurnOf(matrix.data());
  const int width = turn.sideways() ? 2 : 3;
  std::string to(6, '?');
  TurnPlane(turn, reinterpret_cast<const uint8_t*>(plane.data()), 4, 3, 2,
            reinterpret_cast<uint8_t*>(to.data()), width);
  return to;
}

TEST(Turn, FollowsTheDisplayMatrixInAllEightWays) {
  EXPECT_EQ(Turned(Matrix(1, 0, 0, 1)), "abcdef");
  EXPECT_EQ(Turned(Matrix(0, 1, -1, 0)), "daebfc") << "90 degrees clockwise";
  EXPECT_EQ(Turned(Matrix(-1, 0, 0, -1)), "fedcba");
  EXPECT_EQ(Turned(Matrix(0, -1, 1, 0)), "cfbead") << "270 degrees clockwise";
  EXPECT_EQ(Turned(Matrix(-1, 0, 0, 1)), "cbafed") << "left and right swapped";
  EXPECT_EQ(Turned(Matrix(1, 0, 0, -1)), "defabc") << "upside down, as a mirror has it";
  EXPECT_EQ(Turned(Matrix(0, 1, 1, 0)), "adbecf");
  EXPECT_EQ(Turned(Matrix(0, -1, -1, 0)), "fcebda");
}

TEST(Turn, KnowsItsDegreesWhateverTheScale) {
  for (const int scale : {1, 1000, 65536, 2'000'000'000}) {
    EXPECT_EQ(TurnOf(Matrix(0, 1, -1, 0, scale).data()), (Turn{.quarters = 1}));
    EXPECT_EQ(TurnOf(Matrix(0, 1, -1, 0, scale).data()).degrees(), 90);
    EXPECT_TRUE(TurnOf(Matrix(1, 0, 0, 1, scale).data()).upright());
  }
  EXPECT_TRUE(TurnOf(Matrix(0, 0, 0, 0).data()).upright()) << "a matrix of zeros says nothing";
}

TEST(Turn, TakesTheNearestQuarterOfAnyAngle) {
  const int32_t matrix[9] = {1000, 60000, 0, -60000, 1000, 0, 0, 0, 1 << 30};
  EXPECT_EQ(TurnOf(matrix).degrees(), 90);
}

}  // namespace
}  // namespace gleaner
