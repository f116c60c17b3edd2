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

TEST(Text, WhatIsNoUtf8IsReplacedByteByByte) {
  for (const char* good : {"", "cart-1", "größe", "\u0800\uffff", "\U00010000\U0010ffff"}) {
    EXPECT_EQ(ValidUtf8(good), good);
  }
  EXPECT_EQ(ValidUtf8("a\xff\xc3"), "a??");
  EXPECT_EQ(ValidUtf8("\xc3\xa4\xa4z"), "\xc3\xa4?z");
  EXPECT_EQ(ValidUtf8("\xc0\x80"), "??");  // longer than needed
  EXPECT_EQ(ValidUtf8("\xe0\x9f\x80"), "???");
  EXPECT_EQ(ValidUtf8("\xf0\x8f\x80\x80"), "????");
  EXPECT_EQ(ValidUtf8("\xed\xa0\x80"), "???");       // half of a surrogate pair
  EXPECT_EQ(ValidUtf8("\xf4\x90\x80\x80"), "????");  // beyond the last character
  EXPECT_EQ(ValidUtf8("\xf0\x9f\x98"), "???");       // cut
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

}  // namespace
}  // namespace gleaner
