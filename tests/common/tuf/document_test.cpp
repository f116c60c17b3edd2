#include "common/tuf/document.h"

#include <gmock/gmock.h>

#include "common/status.h"
#include "common/tuf/bounds.h"
#include "common/tuf/refusal.h"

namespace gleaner::tuf {
namespace {

std::string CanonicalOf(std::string_view text) {
  const auto document = ParseDocument(text, "it");
  return document.ok() ? Canonical(*document) : std::string(Message(document.status()));
}

TEST(TufDocument, IsWrittenInTheFormThatIsSigned) {
  EXPECT_EQ(CanonicalOf(R"( { "b" : [ 1 , -2, true, null ] , "a" : "" } )"),
            R"({"a":"","b":[1,-2,true,null]})");
  EXPECT_EQ(CanonicalOf(R"({"é":"\u00e9\n\t\"\\\/"})"), "{\"é\":\"é\n\t\\\"\\\\/\"}");
  EXPECT_EQ(CanonicalOf(R"({"10":1,"9":2,"A":3,"a":4,"":5})"),
            R"({"":5,"10":1,"9":2,"A":3,"a":4})");
  EXPECT_EQ(CanonicalOf("-0"), "0");
  EXPECT_EQ(CanonicalOf("9007199254740991"), "9007199254740991");
  EXPECT_EQ(CanonicalOf("[{},[]]"), "[{},[]]");
}

TEST(TufDocument, RefusesWhatTwoReadersCouldTakeForDifferentThings) {
  using testing::HasSubstr;
  EXPECT_THAT(CanonicalOf("1.0"), HasSubstr("malformed: it: 1.0 is not a whole number"));
  EXPECT_THAT(CanonicalOf("1e3"), HasSubstr("not a whole number"));
  EXPECT_THAT(CanonicalOf("9007199254740992"), HasSubstr("beyond"));
  EXPECT_THAT(CanonicalOf("-9007199254740992"), HasSubstr("beyond"));
  EXPECT_THAT(CanonicalOf("99999999999999999999999"), HasSubstr("not a whole number"));
  EXPECT_THAT(CanonicalOf(R"({"a":1,"a":1})"), HasSubstr("\"a\" is there twice"));
  EXPECT_THAT(CanonicalOf(R"({"a":1,"\u0061":1})"), HasSubstr("\"a\" is there twice"));
  EXPECT_THAT(CanonicalOf("\"\xff\""), HasSubstr("no JSON"));
  EXPECT_THAT(CanonicalOf(R"("\ud800")"), HasSubstr("no JSON"));
  EXPECT_THAT(CanonicalOf("{} {}"), HasSubstr("no JSON"));
  EXPECT_THAT(CanonicalOf(std::string_view("{}\0{}", 5)), HasSubstr("no JSON"));
  EXPECT_THAT(CanonicalOf("\xef\xbb\xbf{}"), HasSubstr("no JSON"));
  EXPECT_THAT(CanonicalOf(""), HasSubstr("no JSON"));
  // U+FF5E and U+1F600: one order by UTF-8, another by UTF-16.
  EXPECT_THAT(CanonicalOf(R"({"～":1,"😀":2})"), HasSubstr("sort differently"));
  EXPECT_EQ(CanonicalOf(R"({"z":1,"😀":2})"), R"({"z":1,"😀":2})");
}

TEST(TufDocument, IsBoundedInDepthAndNumber) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(CanonicalOf(nested(kMaxDepth)), nested(kMaxDepth));
  EXPECT_THAT(CanonicalOf(nested(kMaxDepth + 1)), testing::HasSubstr("nested beyond"));
  EXPECT_THAT(CanonicalOf(std::string(1'000'000, '[')), testing::HasSubstr("nested beyond"));
  std::string many = "[0";
  for (size_t i = 2; i < kMaxValues; ++i) many += ",0";
  EXPECT_TRUE(ParseDocument(many + "]", "it").ok());
  EXPECT_THAT(CanonicalOf(many + ",0]"), testing::HasSubstr("more than"));
}

}  // namespace
}  // namespace gleaner::tuf
