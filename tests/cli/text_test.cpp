#include "cli/text.h"

#include <gtest/gtest.h>

#include "common/clock.h"

namespace gleaner::cli {
namespace {

TEST(Text, SizesAreReadable) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1024), "1.0 KiB");
  EXPECT_EQ(HumanBytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(HumanBytes(1'500'000'000), "1.4 GiB");
}

TEST(Text, AgesAreReadable) {
  const int64_t now = 1'700'000'000 * kNanosPerSecond;
  EXPECT_EQ(Ago(0, now), "never");
  EXPECT_EQ(Ago(now + 5 * kNanosPerSecond, now), "just now");
  EXPECT_EQ(Ago(now - 59 * kNanosPerSecond, now), "59 s ago");
  EXPECT_EQ(Ago(now - 3599 * kNanosPerSecond, now), "59 min ago");
  EXPECT_EQ(Ago(now - 86'400 * kNanosPerSecond, now), "24 h ago");
  EXPECT_EQ(Ago(now - 3 * 86'400 * kNanosPerSecond, now), "3 d ago");
}

TEST(Text, NothingFromADeviceReachesTheTerminalAsACommand) {
  EXPECT_EQ(Printable("\x1b[2Jcart\n\t\x7f"), "?[2Jcart???");
  EXPECT_EQ(Printable("a\xc2\x9b"
                      "31mb"),
            "a?31mb");
  EXPECT_EQ(Printable("größe"), "größe");
}

TEST(Text, TablesLineUpByCharactersNotBytes) {
  Table table({{"NAME"}, {"N", true}});
  table.Add({"größe", "7"});
  table.Add({"a", "1234"});
  EXPECT_EQ(table.Render(),
            "NAME      N\n"
            "größe     7\n"
            "a      1234\n");
}

TEST(Text, ASparklineIsAStepFunction) {
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
