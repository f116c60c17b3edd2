// The rule language: when is what happens worth keeping?
//
//   motion > 0.02
//   camera.front.motion > 0.1 and not within(10s, camera.back.motion > 0.1)
//   within(2s, motion > 0.1) and (motion < 0.02 or camera.front.motion == 0)
//
// Grammar, loosest binding first; blanks between tokens are free:
//
//   rule       = and ( "or" and )*
//   and        = not ( "and" not )*
//   not        = "not" not | "(" rule ")" | "within" "(" duration "," rule ")" | comparison
//   comparison = operand ( ">" | ">=" | "<" | "<=" | "==" | "!=" ) operand
//   operand    = number | signal
//   signal     = parts joined by "."
//   duration   = number ( "ms" | "s" | "min" )
//
// At least one operand of a comparison is a signal. A part of a name is [a-z0-9-]+ without a
// leading
// "-", and the first begins with a letter. A duration is 1 ms to 10 min, in whole milliseconds.
//
// Meaning. A signal is a step function of time: a sample's value holds until the next one. So every
// expression is a step function too, and it is evaluated exactly, not at intervals:
//  - a comparison with a signal that has no value (never written, gone stale, NaN) is false, `!=`
//    included;
//  - within(w, e) holds at t if e held at some moment of (t − w, t]: where e held on [a, b), within
//    holds on [a, b + w). A pulse is never missed, however short.
//
// Every expression has a type, number or truth; a rule is a truth. Arithmetic and window functions
// (max, mean, rising) are to come as further kinds that yield numbers or truths, and need no change
// here but their own line in the grammar.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace gleaner::edge {

inline constexpr size_t kMaxExpressionBytes = 4096;
// Nested parentheses, `not` and `within`.
inline constexpr int kMaxExpressionDepth = 64;
inline constexpr int64_t kMaxWithinNs = 600'000'000'000;

// One node of the tree; a value type.
struct Expression {
  enum class Kind : uint8_t {
    kNumber,   // number: `number`
    kSignal,   // number: the newest value of `signal`
    kCompare,  // truth: operands[0] `comparison` operands[1], both numbers
    kNot,      // truth: of operands[0]
    kAnd,      // truth: of all operands, two or more
    kOr,       // truth: of any operand, two or more
    kWithin,   // truth: operands[0] held in the last `window_ns`
  };
  enum class Comparison : uint8_t { kGreater, kGreaterEqual, kLess, kLessEqual, kEqual, kNotEqual };

  Kind kind = Kind::kNumber;
  double number = 0;
  std::string signal;
  Comparison comparison = Comparison::kGreater;
  int64_t window_ns = 0;
  std::vector<Expression> operands;

  bool operator==(const Expression&) const = default;
};

// INVALID_ARGUMENT with what is wrong and what would be right: `column 8: found "=>"; expected one
// of > >= < <= == !=`. Columns are bytes, from 1. Safe for any input.
absl::StatusOr<Expression> ParseExpression(std::string_view text);

// The canonical text, with no more parentheses than it needs: parsing it gives the same tree, if it
// isn't longer than a rule may be (blanks are put in).
std::string ToText(const Expression& expression);

// The signals as they are written in the expression, sorted, each once.
std::vector<std::string> SignalNames(const Expression& expression);

// Whether `written` in a rule means the signal `qualified`: the same name, or just its last part.
bool SignalMatches(std::string_view written, std::string_view qualified);

}  // namespace gleaner::edge
