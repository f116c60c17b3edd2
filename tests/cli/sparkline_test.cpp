#include "cli/sparkline.h"

#include <gtest/gtest.h>

namespace gleaner::cli {
namespace {

TEST(Sparkline, IsAStepFunction) {
  // 0 until 5 s, then 1 until 7.5 s, then 0.
  EXPECT_EQ(Sparkline({0, 5'000'000, 7'500'000}, {0, 1, 0}, 0, 10'000'000, 8), "▁▁▁▁██▁▁");
  // Nothing is known before the first point.
  EXPECT_EQ(Sparkline({5'000'000}, {3}, 0, 10'000'000, 4), "  ██");
  // A peak shorter than a column is still seen.
  EXPECT_EQ(Sparkline({0, 5'000'000, 5'000'010}, {0, 1, 0}, 0, 10'000'000, 4), "▁▁█▁");
  EXPECT_EQ(Sparkline({}, {}, 0, 10, 3), "   ");
  EXPECT_EQ(Sparkline({-50, 1'000'000'000'000}, {1, 2}, 0, 10, 2), "▅▅");
}

}  // namespace
}  // namespace gleaner::cli
