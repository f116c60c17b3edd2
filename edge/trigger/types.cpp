#include "edge/trigger/types.h"

#include <fmt/format.h>

#include <string>

#include "common/status.h"

namespace gleaner::edge {
namespace {

using Kind = Expression::Kind;
using Comparison = Expression::Comparison;

absl::Status Wrong(const Expression& operand, std::string_view what) {
  const std::string name = operand.kind == Kind::kText ? "a text" : operand.signal;
  return absl::InvalidArgumentError(fmt::format("column {}: {} {}", operand.column, name, what));
}

bool IsText(const Expression& operand, const TypeOf& type_of) {
  return operand.kind == Kind::kText ||
         (operand.kind == Kind::kSignal && type_of(operand.signal) == SampleType::kText);
}

absl::Status CheckReadable(const Expression& operand, const TypeOf& type_of) {
  if (operand.kind != Kind::kSignal || type_of(operand.signal) != SampleType::kBoxes) {
    return absl::OkStatus();
  }
  return Wrong(operand, "is a set of boxes, which rules don't read");
}

absl::Status CheckCompare(const Expression& compare, const TypeOf& type_of) {
  const Expression& left = compare.operands[0];
  const Expression& right = compare.operands[1];
  for (const Expression& side : compare.operands) RETURN_IF_ERROR(CheckReadable(side, type_of));
  const bool equality =
      compare.comparison == Comparison::kEqual || compare.comparison == Comparison::kNotEqual;
  const bool left_text = IsText(left, type_of), right_text = IsText(right, type_of);
  if (!left_text && !right_text) return absl::OkStatus();
  if (left_text && right_text && equality) return absl::OkStatus();
  const Expression& text = left_text ? left : right;
  const Expression& other = left_text ? right : left;
  // Of the two sides the signal is the one that a person can't see the type of.
  const Expression& signal = text.kind == Kind::kText ? other : text;
  if (IsText(signal, type_of)) {
    return Wrong(signal,
                 "is a text; compare it with == or != and a text in quotes, or with in (…)");
  }
  if (signal.kind == Kind::kSignal) return Wrong(signal, "is a number; compare it with one");
  return Wrong(text, "is compared with a number");
}

}  // namespace

absl::Status CheckTypes(const Expression& expression, const TypeOf& type_of) {
  switch (expression.kind) {
    case Kind::kCompare:
      RETURN_IF_ERROR(CheckCompare(expression, type_of));
      break;
    case Kind::kIn:
      RETURN_IF_ERROR(CheckReadable(expression.operands[0], type_of));
      if (!IsText(expression.operands[0], type_of)) {
        return Wrong(expression.operands[0], "is a number; in (…) is for texts");
      }
      break;
    case Kind::kDelta:
      RETURN_IF_ERROR(CheckReadable(expression.operands[0], type_of));
      if (IsText(expression.operands[0], type_of)) {
        return Wrong(expression.operands[0], "is a text; delta(…) is for numbers");
      }
      break;
    case Kind::kNumber:
    case Kind::kText:
    case Kind::kSignal:
    case Kind::kNot:
    case Kind::kAnd:
    case Kind::kOr:
    case Kind::kWithin:
    case Kind::kRising:
      break;
  }
  for (const Expression& operand : expression.operands) {
    RETURN_IF_ERROR(CheckTypes(operand, type_of));
  }
  return absl::OkStatus();
}

}  // namespace gleaner::edge
