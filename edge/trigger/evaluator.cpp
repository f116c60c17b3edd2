#include "edge/trigger/evaluator.h"

#include <algorithm>
#include <cmath>

namespace gleaner::edge {
namespace {

using Kind = Expression::Kind;
using Comparison = Expression::Comparison;

constexpr int64_t kLongAgo = std::numeric_limits<int64_t>::min();

bool Compare(Comparison comparison, double left, double right) {
  if (std::isnan(left) || std::isnan(right)) return false;
  switch (comparison) {
    case Comparison::kGreater:
      return left > right;
    case Comparison::kGreaterEqual:
      return left >= right;
    case Comparison::kLess:
      return left < right;
    case Comparison::kLessEqual:
      return left <= right;
    case Comparison::kEqual:
      return left == right;
    case Comparison::kNotEqual:
      return left != right;
  }
  return false;
}

}  // namespace

Evaluator::Evaluator(const Expression& expression, std::span<const std::string> signals)
    : signals_(signals.size(), Signal{std::nan(""), kNever}), root_(Compile(expression, signals)) {
  std::sort(reads_.begin(), reads_.end());
  reads_.erase(std::unique(reads_.begin(), reads_.end()), reads_.end());
}

Evaluator::Node Evaluator::Compile(const Expression& expression,
                                   std::span<const std::string> signals) {
  Node node{.kind = expression.kind,
            .comparison = expression.comparison,
            .number = expression.number,
            .window_ns = expression.window_ns,
            .until_ns = kLongAgo};
  if (expression.kind == Kind::kSignal) {
    for (size_t i = 0; i < signals.size(); ++i) {
      if (SignalMatches(expression.signal, signals[i])) node.signals.push_back(i);
    }
    reads_.insert(reads_.end(), node.signals.begin(), node.signals.end());
  }
  for (const Expression& operand : expression.operands) {
    node.operands.push_back(Compile(operand, signals));
  }
  return node;
}

void Evaluator::Set(size_t signal, double value, int64_t stale_ns) {
  signals_[signal] = {value, stale_ns};
}

bool Evaluator::EvaluateAt(int64_t now_ns) {
  next_change_ns_ = kNever;
  return Truth(root_, now_ns);
}

void Evaluator::Expect(int64_t change_ns, int64_t now_ns) {
  if (change_ns > now_ns) next_change_ns_ = std::min(next_change_ns_, change_ns);
}

double Evaluator::Number(const Node& node, int64_t now_ns) {
  if (node.kind == Kind::kNumber) return node.number;
  double greatest = std::nan("");
  for (const size_t i : node.signals) {
    const Signal& signal = signals_[i];
    if (now_ns >= signal.stale_ns) continue;
    Expect(signal.stale_ns, now_ns);
    // fmax gives the other one where one is NaN.
    greatest = std::fmax(greatest, signal.value);
  }
  return greatest;
}

bool Evaluator::Truth(Node& node, int64_t now_ns) {
  switch (node.kind) {
    case Kind::kCompare:
      return Compare(node.comparison, Number(node.operands[0], now_ns),
                     Number(node.operands[1], now_ns));
    case Kind::kNot:
      return !Truth(node.operands[0], now_ns);
    case Kind::kAnd:
    case Kind::kOr: {
      // No short cut: a `within` below must see every moment.
      const bool decides = node.kind == Kind::kOr;
      bool result = !decides;
      for (Node& operand : node.operands) {
        if (Truth(operand, now_ns) == decides) result = decides;
      }
      return result;
    }
    case Kind::kWithin: {
      const bool held = node.holds;
      node.holds = Truth(node.operands[0], now_ns);
      // It held up to now, or held just now for the first time.
      if (held || node.holds) node.until_ns = now_ns + node.window_ns;
      if (node.holds) return true;
      Expect(node.until_ns, now_ns);
      return now_ns < node.until_ns;
    }
    case Kind::kNumber:
    case Kind::kSignal:
      break;  // numbers are never asked for their truth
  }
  return false;
}

}  // namespace gleaner::edge
