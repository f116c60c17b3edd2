#include "edge/trigger/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "common/clock.h"
#include "common/status.h"

namespace gleaner::edge {
namespace {

using Kind = Expression::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Error(std::string_view text) {
  const auto parsed = ParseExpression(text);
  return parsed.ok() ? "parsed as " + ToText(*parsed) : std::string(Message(parsed.status()));
}

std::string Canonical(std::string_view text) {
  const auto parsed = ParseExpression(text);
  return parsed.ok() ? ToText(*parsed) : std::string(Message(parsed.status()));
}

std::string Nested(int depth, std::string_view open, std::string_view close) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += open;
  text += "motion > 1";
  for (int i = 0; i < depth; ++i) text += close;
  return text;
}

// A random tree that the grammar can express.
Expression RandomTree(std::mt19937& random, int depth) {
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const int kind = depth == 0 ? pick(2) * 7 : pick(8);
  Expression node;
  switch (kind) {
    case 1:
      node.kind = Kind::kNot;
      node.operands.push_back(RandomTree(random, depth - 1));
      break;
    case 2:
    case 3:
      node.kind = kind == 2 ? Kind::kAnd : Kind::kOr;
      for (int i = 0, n = 2 + pick(3); i < n; ++i) {
        node.operands.push_back(RandomTree(random, depth - 1));
      }
      break;
    case 4:
      node.kind = Kind::kWithin;
      node.window_ns = (1 + pick(600'000)) * kNanosPerMilli;
      node.operands.push_back(RandomTree(random, depth - 1));
      break;
    case 5:
      node.kind = Kind::kRising;
      node.operands.push_back(RandomTree(random, depth - 1));
      break;
    case 6:
    case 7: {
      static constexpr const char* kTexts[] = {"", "4006381333931", "a \"b\" \\", "ü, (and)"};
      const Expression signal{.kind = Kind::kSignal, .signal = "camera.till.barcode"};
      const Expression text{.kind = Kind::kText, .text = kTexts[pick(4)]};
      node.kind = kind == 6 ? Kind::kCompare : Kind::kIn;
      node.operands = {signal, text};
      if (kind == 6) {
        node.comparison = Expression::Comparison::kEqual;
        if (pick(2) == 0) std::swap(node.operands[0], node.operands[1]);
      } else if (pick(2) == 0) {
        node.operands.push_back({.kind = Kind::kText, .text = kTexts[pick(4)]});
      }
      break;
    }
    default: {
      static constexpr const char* kSignals[] = {"motion", "camera.front-door.motion",
                                                 "camera.1.motion", "nothing", "and-so.on"};
      node.kind = Kind::kCompare;
      node.comparison = static_cast<Expression::Comparison>(pick(6));
      const Expression signal{.kind = Kind::kSignal, .signal = kSignals[pick(5)]};
      const Expression number{.kind = Kind::kNumber,
                              .number = std::uniform_real_distribution<>(-1e6, 1e6)(random) *
                                        std::pow(10, pick(20) - 10)};
      node.operands = {signal, number};
      if (pick(2) == 0) std::swap(node.operands[0], node.operands[1]);
      if (pick(8) == 0) node.operands = {signal, signal};
      if (pick(8) == 0) {
        Expression delta{.kind = Kind::kDelta, .window_ns = (1 + pick(600'000)) * kNanosPerMilli};
        delta.operands = {signal};
        node.operands = {delta, number};
      }
      break;
    }
  }
  return node;
}

TEST(Expression, BindsNotTighterThanAndTighterThanOr) {
  EXPECT_EQ(Canonical("a > 1 or not b > 2 and c > 3"), "a > 1 or not b > 2 and c > 3");
  const Expression tree = *ParseExpression("a > 1 or not b > 2 and c > 3");
  ASSERT_EQ(tree.kind, Kind::kOr);
  ASSERT_EQ(tree.operands.size(), 2u);
  ASSERT_EQ(tree.operands[1].kind, Kind::kAnd);
  EXPECT_EQ(tree.operands[1].operands[0].kind, Kind::kNot);
}

TEST(Expression, PrintsNoMoreParenthesesThanItNeeds) {
  EXPECT_EQ(Canonical("((motion>0.02))"), "motion > 0.02");
  EXPECT_EQ(Canonical("(a>1 or b>2)and(c>3)"), "(a > 1 or b > 2) and c > 3");
  EXPECT_EQ(Canonical("not (a > 1)"), "not a > 1");
  EXPECT_EQ(Canonical("not(a > 1 and b > 1)"), "not (a > 1 and b > 1)");
  EXPECT_EQ(Canonical("within( 2000ms , motion >= .5 )"), "within(2s, motion >= 0.5)");
  EXPECT_EQ(Canonical("within(1.5s, motion == 1e-3)"), "within(1500ms, motion == 0.001)");
  EXPECT_EQ(Canonical("within(120s, 3 != weight)"), "within(2min, 3 != weight)");
}

TEST(Expression, TellsNamesFromKeywords) {
  EXPECT_EQ(Canonical("nothing > 1 and orbit > 1 or android > 1"),
            "nothing > 1 and orbit > 1 or android > 1");
  EXPECT_EQ(Canonical("camera.not.motion > 1"), "camera.not.motion > 1");
  EXPECT_THAT(Error("and > 1"), HasSubstr("column 1: found \"and\""));
}

TEST(Expression, SaysWhereWhatAndWhatWouldBeRight) {
  EXPECT_EQ(Error(""),
            "column 1: found the end; expected a comparison such as motion > 0.02, not, within(…), "
            "rising(…) or (");
  EXPECT_EQ(Error("motion => 0.1"), "column 8: found \"=>\"; expected one of > >= < <= == != in");
  EXPECT_EQ(Error("motion = 0.1"), "column 8: found \"=\"; expected one of > >= < <= == != in");
  EXPECT_EQ(Error("motion"), "column 7: found the end; expected one of > >= < <= == != in");
  EXPECT_EQ(Error("motion > "),
            "column 10: found the end; expected a number, a text in quotes or a signal");
  EXPECT_EQ(Error("motion > 0.1 && a > 1"),
            "column 14: found \"&&\"; expected and, or, or the end");
  EXPECT_EQ(Error("(motion > 0.1"), "column 14: found the end; expected and, or, or )");
  EXPECT_EQ(Error("0.1 < motion < 0.5"),
            "column 14: found \"<\"; a comparison has two sides: write a < b and b < c");
  EXPECT_EQ(Error("1 < 2"),
            "column 1: found \"1\"; one side of a comparison must be a signal, such as motion");
  EXPECT_EQ(Error("within(2, motion > 1)"),
            "column 8: found \"2\"; expected a duration such as 250ms, 2s or 5min");
  EXPECT_EQ(Error("within(2s motion > 1)"), "column 11: found \"motion\"; expected a comma");
  EXPECT_EQ(Error("within(11min, motion > 1)"),
            "column 8: found \"11min\"; a duration is 1ms to 10min, in whole milliseconds");
  EXPECT_EQ(Error("motion > 1 \x01"), "column 12: found byte 0x01; expected and, or, or the end");
  EXPECT_THAT(Error("Motion > 1"), HasSubstr("column 1: found \"Motion\""));
  EXPECT_THAT(Error("camera..motion > 1"), HasSubstr("column 1: found \"camera..motion\""));
  EXPECT_THAT(Error("motion > 1e999"), HasSubstr("column 10: found \"1e999\""));
  EXPECT_THAT(Error("motion > 0.1s"), HasSubstr("column 10: found \"0.1s\""));
  EXPECT_EQ(Error("barcode == \"400"),
            "column 16: found the end; a text ends with a quote, and has no control characters");
  EXPECT_THAT(Error("barcode == \"4\n\""), HasSubstr("column 14: found byte 0x0a"));
  EXPECT_EQ(Error("barcode in \"4\""), "column 12: found \"\"\"; expected (");
  EXPECT_EQ(Error("barcode in (4)"), "column 13: found \"4\"; expected a text in quotes");
  EXPECT_EQ(Error("barcode in (\"4\" \"5\")"), "column 17: found \"\"\"; expected a comma or )");
  EXPECT_THAT(Error("3 in (\"4\")"), HasSubstr("column 1: found \"3\"; before in stands a signal"));
  EXPECT_THAT(Error("\"4\" == \"4\""), HasSubstr("one side of a comparison must be a signal"));
  EXPECT_EQ(Error("delta(3, 2s) > 1"), "column 7: found \"3\"; expected a signal");
  EXPECT_EQ(Error("delta(motion) > 1"), "column 13: found \")\"; expected a comma");
  EXPECT_THAT(Error("delta(motion, 2s)"), HasSubstr("column 18: found the end; expected one of"));
  EXPECT_THAT(Error("rising(motion)"), HasSubstr("column 14: found \")\"; expected one of"));
  EXPECT_THAT(Error("barcode == \"" + std::string(257, '4') + "\""),
              HasSubstr("column 13: found \"44444"));
}

TEST(Expression, ReadsTextsRisesAndDifferences) {
  EXPECT_EQ(Canonical("barcode==\"4006381333931\""), "barcode == \"4006381333931\"");
  EXPECT_EQ(Canonical("barcode in(\"a\",\"b\" )"), "barcode in (\"a\", \"b\")");
  EXPECT_EQ(Canonical("\"a\\\"b\\\\\" != barcode"), "\"a\\\"b\\\\\" != barcode");
  EXPECT_EQ(Canonical("rising( motion>0.1 ) and not rising(a > 1 or b > 2)"),
            "rising(motion > 0.1) and not rising(a > 1 or b > 2)");
  EXPECT_EQ(Canonical("delta( weight , 2000ms )<-5"), "delta(weight, 2s) < -5");
  EXPECT_EQ(Canonical("inside > 1 and rising-tide > 2"), "inside > 1 and rising-tide > 2");
}

TEST(Expression, SaysWhereSignalsAndTextsStand) {
  const Expression tree = *ParseExpression("a > 1 and  barcode == \"4\"");
  EXPECT_EQ(tree.operands[0].operands[0].column, 1u);
  EXPECT_EQ(tree.operands[1].operands[0].column, 12u);
  EXPECT_EQ(tree.operands[1].operands[1].column, 23u);
}

TEST(Expression, RefusesWhatIsTooLongOrTooDeep) {
  EXPECT_TRUE(ParseExpression(Nested(kMaxExpressionDepth, "(", ")")).ok());
  EXPECT_THAT(Error(Nested(kMaxExpressionDepth + 1, "(", ")")), HasSubstr("nested deeper than 64"));
  EXPECT_TRUE(ParseExpression(Nested(kMaxExpressionDepth, "not ", "")).ok());
  EXPECT_THAT(Error(Nested(kMaxExpressionDepth + 1, "not ", "")), HasSubstr("nested deeper"));
  EXPECT_THAT(Error(Nested(kMaxExpressionDepth + 1, "within(1s,", ")")),
              HasSubstr("nested deeper"));
  EXPECT_THAT(Error(Nested(4000, "(", "")), HasSubstr("nested deeper"));
  EXPECT_TRUE(ParseExpression("motion > 1" + std::string(kMaxExpressionBytes - 10, ' ')).ok());
  EXPECT_THAT(Error("motion > 1" + std::string(kMaxExpressionBytes - 9, ' ')),
              HasSubstr("a rule has at most 4096"));
}

TEST(Expression, NamesItsSignalsOnce) {
  const Expression tree = *ParseExpression("motion > 1 and (b.c > 1 or motion < 3) and a-b != b.c");
  EXPECT_THAT(SignalNames(tree), ElementsAre("a-b", "b.c", "motion"));
}

TEST(Expression, MatchesAShortNameWithTheLastPartOnly) {
  EXPECT_TRUE(SignalMatches("motion", "camera.front.motion"));
  EXPECT_TRUE(SignalMatches("camera.front.motion", "camera.front.motion"));
  EXPECT_FALSE(SignalMatches("motion", "camera.front.slow-motion"));
  EXPECT_FALSE(SignalMatches("front.motion", "camera.front.motion"));
  EXPECT_FALSE(SignalMatches("camera", "camera.front.motion"));
  EXPECT_TRUE(SignalMatches("barcode.count", "camera.front.barcode.count"));
  EXPECT_FALSE(SignalMatches("count", "camera.front.barcode.count"));
  EXPECT_FALSE(SignalMatches("barcode", "camera.front.barcode.count"));
}

TEST(Expression, PrintsEveryTreeSoThatItParsesToTheSame) {
  std::mt19937 random(1);
  int checked = 0;
  for (int i = 0; i < 5000; ++i) {
    const Expression tree = RandomTree(random, 1 + i % 5);
    const std::string text = ToText(tree);
    if (text.size() > kMaxExpressionBytes) continue;
    const auto parsed = ParseExpression(text);
    ASSERT_TRUE(parsed.ok()) << text << "\n" << parsed.status();
    ASSERT_EQ(*parsed, tree) << text;
    ++checked;
  }
  EXPECT_GT(checked, 4000);
}

TEST(Expression, SurvivesAnyText) {
  static constexpr const char* kTokens[] = {"motion", "camera.a.motion",
                                            "and",    "or",
                                            "in",     "rising",
                                            "delta",  "\"4\"",
                                            "not",    "within",
                                            "(",      ")",
                                            ",",      "2s",
                                            "10min",  "0.1",
                                            "-3e4",   ">",
                                            ">=",     "==",
                                            "!=",     "<",
                                            "=",      " ",
                                            "  ",     "\t",
                                            "\n",     ".",
                                            "-",      "1ms",
                                            "\xff",   "\"",
                                            "e9"};
  std::mt19937 random(2);
  int parsed_count = 0;
  for (int i = 0; i < 60000; ++i) {
    std::string text;
    const unsigned length = random() % 24;
    for (unsigned j = 0; j < length; ++j) {
      if (random() % 12 == 0) {
        text += static_cast<char>(random() % 256);
      } else {
        text += kTokens[random() % std::size(kTokens)];
        if (random() % 2 == 0) text += ' ';
      }
    }
    const auto parsed = ParseExpression(text);
    if (!parsed.ok()) {
      ASSERT_THAT(std::string(Message(parsed.status())), HasSubstr("column ")) << text;
      continue;
    }
    ++parsed_count;
    const auto again = ParseExpression(ToText(*parsed));
    ASSERT_TRUE(again.ok()) << text;
    ASSERT_EQ(*again, *parsed) << text;
  }
  EXPECT_GT(parsed_count, 10);
}

// One wrong byte in a right rule, at every place.
TEST(Expression, SurvivesEveryByteAtEveryPlace) {
  const std::string rule = "within(2s, motion > 0.1) and not (camera.a.motion <= -1e-3 or b == 2)";
  ASSERT_TRUE(ParseExpression(rule).ok());
  for (size_t at = 0; at < rule.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = rule;
      text[at] = static_cast<char>(byte);
      if (const auto parsed = ParseExpression(text); parsed.ok()) {
        ASSERT_EQ(*ParseExpression(ToText(*parsed)), *parsed) << text;
      }
    }
  }
}

}  // namespace
}  // namespace gleaner::edge
