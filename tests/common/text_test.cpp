#include "common/text.h"

#include <gtest/gtest.h>

#include "common/clock.h"
#include "common/table.h"

namespace gleaner {
namespace {

TEST(Text, OneIsSingular) {
  EXPECT_EQ(Count(0, "clip"), "0 clips");
  EXPECT_EQ(Count(1, "clip"), "1 clip");
  EXPECT_EQ(Count(2, "clip"), "2 clips");
}

TEST(Text, SizesAreReadable) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1024), "1.0 KiB");
  EXPECT_EQ(HumanBytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(HumanBytes(1'500'000'000), "1.4 GiB");
  EXPECT_EQ(HumanBytes(uint64_t{1} << 60), "1024.0 PiB") << "there is no unit above";
}

TEST(Text, AgesAreReadable) {
  const int64_t now = 1'700'000'000 * kNanosPerSecond;
  EXPECT_EQ(Ago(0, now), "never");
  EXPECT_EQ(Ago(now + 5 * kNanosPerSecond, now), "just now");
  EXPECT_EQ(Ago(now - kNanosPerSecond, now), "1 s ago");
  EXPECT_EQ(Ago(now - 59 * kNanosPerSecond, now), "59 s ago");
  EXPECT_EQ(Ago(now - 60 * kNanosPerSecond, now), "1 min ago");
  EXPECT_EQ(Ago(now - 3599 * kNanosPerSecond, now), "59 min ago");
  EXPECT_EQ(Ago(now - 3600 * kNanosPerSecond, now), "1 h ago");
  EXPECT_EQ(Ago(now - 86'400 * kNanosPerSecond, now), "24 h ago");
  EXPECT_EQ(Ago(now - 2 * 86'400 * kNanosPerSecond, now), "2 d ago");
  EXPECT_EQ(Ago(now - 3 * 86'400 * kNanosPerSecond, now), "3 d ago");
}

TEST(Text, TimesAreThoseOfTheReadersPlace) {
  ASSERT_EQ(setenv("TZ", "XYZ-2", 1), 0);  // two hours east of Greenwich
  tzset();
  EXPECT_EQ(LocalTime(1'700'000'000 * kNanosPerSecond), "2023-11-15 00:13:20");
  EXPECT_EQ(LocalTime(0), "-");
  unsetenv("TZ");
  tzset();
}

TEST(Text, WhatIsNoUtf8IsReplacedByteByByte) {
  for (const char* good : {"", "cart-1", "größe", "\x7f\u0080\u07ff", "\u0800\uffff",
                           "\ud7ff\ue000", "\U00010000\U0010ffff"}) {
    EXPECT_EQ(ValidUtf8(good), good);
  }
  EXPECT_EQ(ValidUtf8("a\xff\xc3"), "a??");
  EXPECT_EQ(ValidUtf8("\xc3\xa4\xa4z"), "\xc3\xa4?z");
  EXPECT_EQ(ValidUtf8("\xc0\x80"), "??");  // longer than needed
  EXPECT_EQ(ValidUtf8("\xe0\x9f\x80"), "???");
  EXPECT_EQ(ValidUtf8("\xf0\x8f\x80\x80"), "????");
  EXPECT_EQ(ValidUtf8("\xed\xa0\x80"), "???");       // half of a surrogate pair
  EXPECT_EQ(ValidUtf8("\xf4\x90\x80\x80"), "????");  // beyond the last character
  EXPECT_EQ(ValidUtf8("\xf5\x80\x80\x80"), "????");
  EXPECT_EQ(ValidUtf8("\xf0\x9f\x98"), "???");  // cut
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

TEST(Text, NoLineOfATableEndsInBlanks) {
  Table table({{"A"}, {"B"}});
  EXPECT_TRUE(table.empty());
  table.Add({"long", ""});
  EXPECT_FALSE(table.empty());
  EXPECT_EQ(table.Render(),
            "A     B\n"
            "long\n");
}

}  // namespace
}  // namespace gleaner
