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
            .text = expression.text,
            .window_ns = expression.window_ns,
            .until_ns = kLongAgo,
            .rose_ns = kLongAgo};
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

void Evaluator::Set(size_t signal, SampleValue value, int64_t stale_ns) {
  signals_[signal] = {std::move(value), stale_ns};
}

bool Evaluator::EvaluateAt(int64_t now_ns) {
  next_change_ns_ = kNever;
  return Truth(root_, now_ns);
}

void Evaluator::Expect(int64_t change_ns, int64_t now_ns) {
  if (change_ns > now_ns) next_change_ns_ = std::min(next_change_ns_, change_ns);
}

double Evaluator::Number(Node& node, int64_t now_ns) {
  if (node.kind == Kind::kNumber) return node.number;
  if (node.kind == Kind::kDelta) return Delta(node, now_ns);
  double greatest = std::nan("");
  for (const size_t i : node.signals) {
    const Signal& signal = signals_[i];
    if (now_ns >= signal.stale_ns) continue;
    Expect(signal.stale_ns, now_ns);
    // fmax gives the other one where one is NaN.
    greatest = std::fmax(greatest, signal.value.number());
  }
  return greatest;
}

double Evaluator::Delta(Node& node, int64_t now_ns) {
  auto& changes = node.changes;
  const double now = Number(node.operands[0], now_ns);
  if (!changes.empty() && changes.back().first == now_ns) changes.pop_back();
  const bool same = !changes.empty() && (changes.back().second == now ||
                                         (std::isnan(changes.back().second) && std::isnan(now)));
  if (!same) changes.emplace_back(now_ns, now);
  const int64_t then_ns = now_ns - node.window_ns;
  while (changes.size() > 1 && (changes[1].first <= then_ns || changes.size() > kMaxChanges)) {
    changes.pop_front();
  }
  const auto [first_ns, first] = changes.front();
  if (first_ns > then_ns) {
    Expect(first_ns + node.window_ns, now_ns);
    return std::nan("");
  }
  if (changes.size() > 1) Expect(changes[1].first + node.window_ns, now_ns);
  return now - first;
}

std::vector<std::string_view> Evaluator::Texts(const Node& node, int64_t now_ns) {
  if (node.kind == Kind::kText) return {node.text};
  std::vector<std::string_view> texts;
  for (const size_t i : node.signals) {
    const Signal& signal = signals_[i];
    if (now_ns >= signal.stale_ns || signal.value.type() != SampleType::kText) continue;
    Expect(signal.stale_ns, now_ns);
    texts.push_back(signal.value.text());
  }
  return texts;
}

bool Evaluator::ComparesTexts(const Node& node) const {
  return std::any_of(node.operands.begin(), node.operands.end(), [this](const Node& operand) {
    return operand.kind == Kind::kText ||
           std::any_of(operand.signals.begin(), operand.signals.end(),
                       [this](size_t i) { return signals_[i].value.type() == SampleType::kText; });
  });
}

bool Evaluator::CompareTexts(const Node& node, int64_t now_ns) {
  // Of an `in` each text that follows, of a comparison the other side.
  const bool wanted = node.kind == Kind::kIn || node.comparison == Comparison::kEqual;
  const std::vector<std::string_view> left = Texts(node.operands[0], now_ns);
  for (size_t i = 1; i < node.operands.size(); ++i) {
    for (const std::string_view b : Texts(node.operands[i], now_ns)) {
      for (const std::string_view a : left) {
        if ((a == b) == wanted) return true;
      }
    }
  }
  return false;
}

bool Evaluator::Truth(Node& node, int64_t now_ns) {
  switch (node.kind) {
    case Kind::kIn:
      return CompareTexts(node, now_ns);
    case Kind::kCompare:
      if (ComparesTexts(node)) return CompareTexts(node, now_ns);
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
    case Kind::kRising: {
      const bool held = node.holds;
      node.holds = Truth(node.operands[0], now_ns);
      if (node.holds && !held) node.rose_ns = now_ns;
      if (!node.holds || node.rose_ns != now_ns) return false;
      Expect(now_ns + 1, now_ns);
      return true;
    }
    case Kind::kNumber:
    case Kind::kText:
    case Kind::kSignal:
    case Kind::kDelta:
      break;  // values are never asked for their truth
  }
  return false;
}

}  // namespace gleaner::edge
