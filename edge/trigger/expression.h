// The rule language: when is what happens worth keeping?
//
//   motion > 0.02
//   camera.front.motion > 0.1 and not within(10s, camera.back.motion > 0.1)
//   within(2s, motion > 0.1) and (motion < 0.02 or camera.front.motion == 0)
//   barcode in ("4006381333931", "4000417025005") and rising(motion > 0.1)
//   delta(motion, 2s) > 0.05
//
// Grammar, loosest binding first; blanks between tokens are free:
//
//   rule       = and ( "or" and )*
//   and        = not ( "and" not )*
//   not        = "not" not | "(" rule ")" | "within" "(" duration "," rule ")"
//              | "rising" "(" rule ")" | comparison
//   comparison = operand ( ">" | ">=" | "<" | "<=" | "==" | "!=" ) operand
//              | signal "in" "(" text ( "," text )* ")"
//   operand    = number | text | signal | "delta" "(" signal "," duration ")"
//   signal     = parts joined by "."
//   duration   = number ( "ms" | "s" | "min" )
//
// At least one operand of a comparison is a signal or speaks of one. A part of a name is [a-z0-9-]+
// without a leading "-", and the first begins with a letter. A duration is 1 ms to 10 min, in whole
// milliseconds. A text stands in quotes, has at most 256 bytes and no control characters; in it \"
// is a quote and \\ a backslash.
//
// Meaning. A signal is a step function of time: a sample's value holds until the next one. So every
// expression is a step function too, and it is evaluated exactly, not at intervals:
//  - a comparison with a signal that has no value (never written, gone stale, NaN) is false, `!=`
//    included; a truth counts as 0 or 1;
//  - a number means the greatest over the cameras, where a name is short; a text any camera's: its
//    comparison holds if it does for one of them;
//  - within(w, e) holds at t if e held at some moment of (t − w, t]: where e held on [a, b), within
//    holds on [a, b + w). A pulse is never missed, however short;
//  - rising(e) holds at the moment at which e becomes true, for a nanosecond;
//  - delta(x, w) is x now less x at t − w; it has no value while one of the two has none.
//
// Every expression has a type, number, text or truth; a rule is a truth. Which type a signal has is
// not the parser's to know: see types.h. Arithmetic and window functions (max, mean) are to come as
// further kinds and need no change here but their own line in the grammar.
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
inline constexpr int64_t kMaxWithinNs = 600'000'000'000;  // and of delta

// One node of the tree; a value type.
struct Expression {
  enum class Kind : uint8_t {
    kNumber,   // number: `number`
    kText,     // text: `text`
    kSignal,   // number or text: the newest value of `signal`
    kDelta,    // number: operands[0], a signal, now less `window_ns` ago
    kCompare,  // truth: operands[0] `comparison` operands[1], both numbers or both texts
    kIn,       // truth: operands[0], a signal, is one of the texts that follow it
    kNot,      // truth: of operands[0]
    kAnd,      // truth: of all operands, two or more
    kOr,       // truth: of any operand, two or more
    kWithin,   // truth: operands[0] held in the last `window_ns`
    kRising,   // truth: operands[0] becomes true just now
  };
  enum class Comparison : uint8_t { kGreater, kGreaterEqual, kLess, kLessEqual, kEqual, kNotEqual };

  Kind kind = Kind::kNumber;
  double number = 0;
  std::string signal;
  std::string text;
  Comparison comparison = Comparison::kGreater;
  int64_t window_ns = 0;
  std::vector<Expression> operands;
  uint32_t column = 0;  // of a signal or a text, where it stands in what was parsed, from 1

  // Wherever they stand.
  bool operator==(const Expression& other) const;
};

// INVALID_ARGUMENT with what is wrong and what would be right: `column 8: found "=>"; expected one
// of > >= < <= == !=`. Columns are bytes, from 1. Safe for any input.
absl::StatusOr<Expression> ParseExpression(std::string_view text);

// The canonical text, with no more parentheses than it needs: parsing it gives the same tree, if it
// isn't longer than a rule may be (blanks are put in).
std::string ToText(const Expression& expression);

// The signals as they are written in the expression, sorted, each once.
std::vector<std::string> SignalNames(const Expression& expression);

// Whether `written` in a rule means the signal `qualified`: the same name, or what of it is behind
// the camera's.
bool SignalMatches(std::string_view written, std::string_view qualified);

}  // namespace gleaner::edge
