#include "edge/trigger/reach.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace gleaner::edge {
namespace {

using Kind = Expression::Kind;
using Comparison = Expression::Comparison;

// `a > b` as `b < a`.
Comparison Turned(Comparison comparison) {
  switch (comparison) {
    case Comparison::kGreater:
      return Comparison::kLess;
    case Comparison::kGreaterEqual:
      return Comparison::kLessEqual;
    case Comparison::kLess:
      return Comparison::kGreater;
    case Comparison::kLessEqual:
      return Comparison::kGreaterEqual;
    default:
      return comparison;
  }
}

// `a > b` fails, where both have a value, just when `a <= b` holds.
Comparison Negated(Comparison comparison) {
  switch (comparison) {
    case Comparison::kGreater:
      return Comparison::kLessEqual;
    case Comparison::kGreaterEqual:
      return Comparison::kLess;
    case Comparison::kLess:
      return Comparison::kGreaterEqual;
    case Comparison::kLessEqual:
      return Comparison::kGreater;
    case Comparison::kEqual:
      return Comparison::kNotEqual;
    case Comparison::kNotEqual:
      return Comparison::kEqual;
  }
  return comparison;
}

// Whether some value of `left` and some of `right` compare so.
bool Possible(const ValueRange& left, Comparison comparison, const ValueRange& right) {
  switch (comparison) {
    case Comparison::kGreater:
      return left.max > right.min;
    case Comparison::kGreaterEqual:
      return left.max >= right.min;
    case Comparison::kLess:
      return left.min < right.max;
    case Comparison::kLessEqual:
      return left.min <= right.max;
    case Comparison::kEqual:
      return left.max >= right.min && left.min <= right.max;
    case Comparison::kNotEqual:
      return left.min != left.max || right.min != right.max || left.min != right.min;
  }
  return true;
}

// The values that a signal may have while several comparisons of it hold.
struct Interval {
  ValueRange range;
  bool without_min = false;  // the end itself is not among them
  bool without_max = false;
  bool has_value = false;  // a comparison that holds says that there is one
  std::vector<std::string> comparisons;

  void Narrow(Comparison comparison, double number) {
    const bool below = comparison == Comparison::kLess || comparison == Comparison::kLessEqual ||
                       comparison == Comparison::kEqual;
    const bool above = comparison == Comparison::kGreater ||
                       comparison == Comparison::kGreaterEqual || comparison == Comparison::kEqual;
    if (below && number <= range.max) {
      without_max = comparison == Comparison::kLess || (without_max && number == range.max);
      range.max = number;
    }
    if (above && number >= range.min) {
      without_min = comparison == Comparison::kGreater || (without_min && number == range.min);
      range.min = number;
    }
  }
  bool empty() const {
    return range.min > range.max || (range.min == range.max && (without_min || without_max));
  }
};

class Judge {
 public:
  explicit Judge(const RangeOf& range_of) : range_of_(range_of) {}

  // Why it can never be true, or nothing. `wanted`: what holds always makes the rule fire; not so
  // below a `not`.
  std::optional<std::string> Never(const Expression& expression, bool wanted);
  std::vector<std::string> TakeIdle() { return std::move(idle_); }

 private:
  std::optional<std::string> NeverCompare(const Expression& expression, bool wanted);
  std::optional<std::string> NeverAnd(const Expression& expression, bool wanted);
  std::optional<std::string> NeverOr(const Expression& expression, bool wanted);
  ValueRange RangeOfOperand(const Expression& operand) const {
    if (operand.kind == Kind::kNumber) return {operand.number, operand.number};
    if (operand.kind == Kind::kSignal) return range_of_(operand.signal);
    const ValueRange range = range_of_(operand.operands[0].signal);  // of a delta's signal
    return {range.min - range.max, range.max - range.min};
  }
  void Gather(const Expression& expression, std::map<std::string, Interval>& intervals) const;

  const RangeOf& range_of_;
  std::vector<std::string> idle_;
};

std::optional<std::string> Judge::Never(const Expression& expression, bool wanted) {
  switch (expression.kind) {
    case Kind::kCompare:
      return NeverCompare(expression, wanted);
    case Kind::kAnd:
      return NeverAnd(expression, wanted);
    case Kind::kOr:
      return NeverOr(expression, wanted);
    case Kind::kWithin:
    case Kind::kRising:
      return Never(expression.operands[0], wanted);
    case Kind::kNot:
      // It can be true: any comparison fails while its signal has no value.
      if (auto never = Never(expression.operands[0], !wanted)) idle_.push_back(*std::move(never));
      return std::nullopt;
    case Kind::kIn:  // a text can be anything
    case Kind::kNumber:
    case Kind::kText:
    case Kind::kSignal:
    case Kind::kDelta:
      break;
  }
  return std::nullopt;
}

std::optional<std::string> Judge::NeverCompare(const Expression& expression, bool wanted) {
  const Expression& left = expression.operands[0];
  const Expression& right = expression.operands[1];
  if (left.kind == Kind::kText || right.kind == Kind::kText) return std::nullopt;
  std::string why;
  bool possible = true, certain = false;
  if (left == right) {
    why = "both sides are the same";
    certain = Possible({0, 0}, expression.comparison, {0, 0});
    possible = certain;
  } else {
    const ValueRange left_range = RangeOfOperand(left), right_range = RangeOfOperand(right);
    possible = Possible(left_range, expression.comparison, right_range);
    certain = !Possible(left_range, Negated(expression.comparison), right_range);
    for (const Expression& side : expression.operands) {
      if (side.kind == Kind::kNumber) continue;
      const ValueRange range = RangeOfOperand(side);
      why += fmt::format("{}{} is {} to {}", why.empty() ? "" : " and ", ToText(side), range.min,
                         range.max);
    }
  }
  if (!possible) return fmt::format("{} can never hold, since {}", ToText(expression), why);
  if (certain && wanted) {
    idle_.push_back(fmt::format("{} always holds, since {}", ToText(expression), why));
  }
  return std::nullopt;
}

std::optional<std::string> Judge::NeverAnd(const Expression& expression, bool wanted) {
  for (const Expression& operand : expression.operands) {
    if (auto never = Never(operand, wanted)) return never;
  }
  std::map<std::string, Interval> intervals;
  Gather(expression, intervals);
  for (const auto& [signal, interval] : intervals) {
    if (interval.has_value && interval.empty()) {
      return fmt::format("{} can never hold at once", fmt::join(interval.comparisons, " and "));
    }
  }
  return std::nullopt;
}

std::optional<std::string> Judge::NeverOr(const Expression& expression, bool wanted) {
  std::vector<std::string> never;
  for (const Expression& operand : expression.operands) {
    if (auto why = Never(operand, wanted)) never.push_back(*std::move(why));
  }
  if (never.size() == expression.operands.size()) return fmt::format("{}", fmt::join(never, "; "));
  std::move(never.begin(), never.end(), std::back_inserter(idle_));
  return std::nullopt;
}

// The comparisons of a signal with a number that must all hold for `expression`, an `and`, to.
void Judge::Gather(const Expression& expression, std::map<std::string, Interval>& intervals) const {
  for (const Expression& operand : expression.operands) {
    if (operand.kind == Kind::kAnd) {
      Gather(operand, intervals);
      continue;
    }
    const bool negated = operand.kind == Kind::kNot;
    const Expression& compare = negated ? operand.operands[0] : operand;
    if (compare.kind != Kind::kCompare) continue;
    const bool turned = compare.operands[0].kind == Kind::kNumber;
    const Expression& signal = compare.operands[turned ? 1 : 0];
    const Expression& number = compare.operands[turned ? 0 : 1];
    if (number.kind != Kind::kNumber || signal.kind == Kind::kText) continue;
    const auto [found, is_new] = intervals.try_emplace(ToText(signal));
    Interval& interval = found->second;
    if (is_new) interval.range = RangeOfOperand(signal);
    Comparison comparison = turned ? Turned(compare.comparison) : compare.comparison;
    if (negated) comparison = Negated(comparison);
    interval.Narrow(comparison, number.number);
    interval.has_value |= !negated;
    interval.comparisons.push_back(ToText(operand));
  }
}

}  // namespace

Reach JudgeReach(const Expression& expression, const RangeOf& range_of) {
  Judge judge(range_of);
  Reach reach;
  if (auto never = judge.Never(expression, /*wanted=*/true)) {
    reach.never = *std::move(never);
  } else {
    reach.idle = judge.TakeIdle();
  }
  return reach;
}

}  // namespace gleaner::edge
