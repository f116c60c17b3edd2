#include "common/name.h"

#include <gtest/gtest.h>

namespace gleaner {
namespace {

TEST(Name, IsPlain) {
  for (const char* good : {"a", "cart-1", "0", "x--y"}) EXPECT_TRUE(IsName(good)) << good;
  for (const std::string& bad :
       {std::string(), std::string("-a"), std::string("A"), std::string("a/b"), std::string("a b"),
        std::string("ä"), std::string("a\0b", 3), std::string(64, 'a')}) {
    EXPECT_FALSE(IsName(bad)) << bad;
  }
}

TEST(Name, TheNearestOneIsSuggested) {
  EXPECT_EQ(NearestName("Front_Door"), "front-door");
  EXPECT_EQ(NearestName("  cam #1 (left) "), "cam-1-left");
  EXPECT_EQ(NearestName("cart.example.com"), "cart-example-com");
  EXPECT_EQ(NearestName("Küche"), "k-che");
  EXPECT_EQ(NearestName("--a"), "a");
  EXPECT_EQ(NearestName(std::string(64, 'a')), std::string(63, 'a'));
  EXPECT_EQ(NearestName(std::string(62, 'a') + "_b"), std::string(62, 'a'));
  EXPECT_EQ(NearestName("カメラ"), "");
  EXPECT_EQ(NearestName(""), "");
}

TEST(Name, WhatIsSuggestedIsAName) {
  for (int first = 0; first < 256; ++first) {
    for (const char* rest : {"", "x", "_-", "9 Z"}) {
      const std::string nearest = NearestName(std::string(1, static_cast<char>(first)) + rest);
      EXPECT_TRUE(nearest.empty() || IsName(nearest)) << nearest;
    }
  }
}

TEST(Name, AMistakeTellsTheRuleAndTheFix) {
  EXPECT_EQ(NotAName("Front_Door"),
            "\"Front_Door\" is not a name (1 to 63 of a-z, 0-9 and -, not starting with -): write "
            "\"front-door\"");
  EXPECT_EQ(NotAName("??"),
            "\"??\" is not a name (1 to 63 of a-z, 0-9 and -, not starting with -)");
}

TEST(Name, AMistakeIsOneShortLineWhateverTheTextHolds) {
  const std::string said = NotAName("\x1b[2J\nä" + std::string(5000, 'x'));
  EXPECT_EQ(said.find_first_of("\x1b\n"), std::string::npos);
  EXPECT_LT(said.size(), 300u);
  // Cut between characters, not within one.
  EXPECT_EQ(NotAName(std::string(79, 'x') + "äää").find('\xc3'), std::string::npos);
}

}  // namespace
}  // namespace gleaner
