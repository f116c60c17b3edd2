// A rule's expression, as an owner or a policy writes it.
#include <cmath>

#include "common/clip_key.h"
#include "common/clock.h"
#include "common/status.h"
#include "edge/trigger/expression.h"
#include "edge/trigger/reach.h"
#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {

using edge::Expression;
using Kind = Expression::Kind;

std::vector<std::string> Seeds() { return {}; }

namespace {

// What has a value, not a truth.
bool IsValue(const Expression& expression) {
  return expression.kind == Kind::kNumber || expression.kind == Kind::kSignal ||
         expression.kind == Kind::kText || expression.kind == Kind::kDelta;
}

// What the evaluator takes for granted; `depth` counts what is nested.
void RequireSound(const Expression& expression, int depth) {
  // `and` and `or` stand between two parentheses, so a level of those has up to three of the
  // tree's.
  REQUIRE(depth <= 3 * (edge::kMaxExpressionDepth + 1));
  switch (expression.kind) {
    case Kind::kNumber:
      REQUIRE(std::isfinite(expression.number));
      break;
    case Kind::kSignal:
      REQUIRE(!expression.signal.empty() && expression.signal.size() <= edge::kMaxExpressionBytes);
      REQUIRE(edge::SignalMatches(expression.signal, expression.signal));
      break;
    case Kind::kCompare:
      REQUIRE(expression.operands.size() == 2);
      REQUIRE(IsValue(expression.operands[0]) && IsValue(expression.operands[1]));
      REQUIRE(!edge::SignalNames(expression).empty());
      break;
    case Kind::kText:
      REQUIRE(expression.text.size() <= edge::kMaxSampleTextBytes);
      break;
    case Kind::kDelta:
      REQUIRE(expression.operands.size() == 1 && expression.operands[0].kind == Kind::kSignal);
      REQUIRE(expression.window_ns > 0 && expression.window_ns <= edge::kMaxWithinNs);
      break;
    case Kind::kIn:
      REQUIRE(expression.operands.size() >= 2 && expression.operands[0].kind == Kind::kSignal);
      for (size_t i = 1; i < expression.operands.size(); ++i) {
        REQUIRE(expression.operands[i].kind == Kind::kText);
      }
      break;
    case Kind::kRising:
      REQUIRE(expression.operands.size() == 1);
      break;
    case Kind::kNot:
      REQUIRE(expression.operands.size() == 1);
      break;
    case Kind::kWithin:
      REQUIRE(expression.operands.size() == 1);
      REQUIRE(expression.window_ns > 0 && expression.window_ns <= edge::kMaxWithinNs);
      REQUIRE(expression.window_ns % kNanosPerMilli == 0);
      break;
    case Kind::kAnd:
    case Kind::kOr:
      REQUIRE(expression.operands.size() >= 2);
      break;
  }
  for (const Expression& operand : expression.operands) {
    REQUIRE(IsValue(operand) == (expression.kind == Kind::kCompare ||
                                 expression.kind == Kind::kIn || expression.kind == Kind::kDelta));
    RequireSound(operand, depth + 1);
  }
}

}  // namespace
}  // namespace gleaner::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gleaner;  // NOLINT(google-build-using-namespace)
  const auto expression = edge::ParseExpression(fuzz::AsText(data, size));
  if (!expression.ok()) {
    REQUIRE(absl::IsInvalidArgument(expression.status()));
    REQUIRE(fuzz::IsPlain(Message(expression.status())));
    return 0;
  }
  ++fuzz::accepted;
  REQUIRE(!fuzz::IsValue(*expression));
  fuzz::RequireSound(*expression, 0);
  // What can never be true is told as that alone, and in plain text.
  const edge::Reach reach = edge::JudgeReach(*expression, [](std::string_view) {
    return edge::ValueRange{0, 1};
  });
  REQUIRE(reach.never.empty() || reach.idle.empty());
  REQUIRE(fuzz::IsPlain(reach.never));
  const std::string printed = edge::ToText(*expression);
  if (printed.size() > edge::kMaxExpressionBytes) return 0;
  const auto again = edge::ParseExpression(printed);
  REQUIRE(again.ok() && *again == *expression);
  REQUIRE(edge::ToText(*again) == printed);
  return 0;
}
