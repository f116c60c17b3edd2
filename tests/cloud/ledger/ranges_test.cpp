#include "cloud/ledger/ranges.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace gleaner::cloud {
namespace {

std::vector<Range> ToRanges(const std::set<uint64_t>& numbers) {
  std::vector<Range> ranges;
  for (const uint64_t number : numbers) {
    if (!ranges.empty() && ranges.back().last + 1 == number) {
      ranges.back().last = number;
    } else {
      ranges.push_back({number, number});
    }
  }
  return ranges;
}

TEST(Ranges, NothingKnownMeansEverythingIsMissing) {
  EXPECT_EQ(Missing(3, {}, {}), (std::vector<Range>{{1, 3}}));
  EXPECT_TRUE(Missing(0, {}, {}).empty());
  EXPECT_TRUE(Missing(3, {{1, 2}}, {{3, 9}}).empty());
}

TEST(Ranges, AgreesWithPlainSets) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::set<uint64_t> settled, pending, missing;
    for (uint64_t i = 1; i < 40; ++i) {
      if (random() % 2 == 0) settled.insert(i);
      if (random() % 3 == 0) pending.insert(i);
    }
    const uint64_t last = random() % 45;
    for (uint64_t i = 1; i <= last; ++i) {
      if (!settled.contains(i) && !pending.contains(i)) missing.insert(i);
    }
    EXPECT_EQ(Missing(last, ToRanges(settled), ToRanges(pending)), ToRanges(missing));
    for (uint64_t i = 0; i < 42; ++i) {
      EXPECT_EQ(Contains(ToRanges(settled), i), settled.contains(i));
    }
  }
}

}  // namespace
}  // namespace gleaner::cloud
