#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/message_json.h"
#include "gleaner/v1/fleet.pb.h"

namespace gleaner {
namespace {

using testing::HasSubstr;

TEST(MessageJson, SaysARuleAsAPersonWouldAndStaysJson) {
  for (const char* text :
       {"motion > 0.02 and motion < 1", R"(\u003e \\u003c <\>)", R"(\)", R"("<")"}) {
    v1::RuleDescription rule, again;
    rule.set_expression(text);
    const std::string json = ToJson(rule);
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, &again).ok()) << json;
    EXPECT_EQ(again.expression(), text) << json;
  }
  v1::RuleDescription rule;
  rule.set_expression("motion > 0.02");
  EXPECT_THAT(ToJson(rule), HasSubstr("\"motion > 0.02\""));
}

TEST(MessageJson, ZerosAreThereWhereTheyAreWanted) {
  EXPECT_THAT(ToJson(v1::RuleDescription()), HasSubstr("\"priority\": 0"));
  EXPECT_EQ(ToJson(v1::RuleDescription(), /*zeros=*/false), "{}");
}

TEST(MessageJson, AnErrorHasItsCodeAsConnectSpellsIt) {
  EXPECT_EQ(ErrorJson(absl::NotFoundError("there is no \"x\"")),
            "{\n \"code\": \"not_found\",\n \"message\": \"there is no \\\"x\\\"\"\n}");
  EXPECT_THAT(ErrorJson(absl::CancelledError("x")), HasSubstr("\"canceled\""));
  EXPECT_THAT(ErrorJson(absl::DataLossError("a\xff")), HasSubstr("\"a?\""));
}

}  // namespace
}  // namespace gleaner
