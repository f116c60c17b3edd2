// Evaluates one expression exactly, event by event. A step function changes only at samples, where
// a `within` runs out and where a value goes stale; the evaluator knows the latter two in advance,
// so that its caller can visit every moment at which the truth may change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "edge/trigger/expression.h"

namespace gleaner::edge {

// Not thread-safe. State is bounded by the expression and the signals given at construction: a
// `within` needs to remember no more than when its operand last held.
class Evaluator {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // `signals`: the qualified names that exist. A name in the expression that none of them matches
  // never has a value.
  Evaluator(const Expression& expression, std::span<const std::string> signals);

  // The signals, as indexes, that the expression reads.
  const std::vector<size_t>& reads() const { return reads_; }

  // A new value of a signal; `stale_ns` is the moment at which it ends by itself, or kNever. Takes
  // effect with the next EvaluateAt.
  void Set(size_t signal, double value, int64_t stale_ns);
  // The truth at `now_ns`. Calls go forward in time, or stay, and visit every NextChangeNs().
  bool EvaluateAt(int64_t now_ns);
  // The next moment after the last EvaluateAt at which the truth may change without a new value.
  int64_t NextChangeNs() const { return next_change_ns_; }

 private:
  struct Node {
    Expression::Kind kind;
    Expression::Comparison comparison;
    double number;
    int64_t window_ns;
    std::vector<size_t> signals;  // kSignal: those whose greatest value it means
    std::vector<Node> operands;
    // kWithin:
    bool holds = false;  // the operand, at the last EvaluateAt
    int64_t until_ns;    // the end of the window after the operand last held
  };
  struct Signal {
    double value;
    int64_t stale_ns;
  };

  Node Compile(const Expression& expression, std::span<const std::string> signals);
  bool Truth(Node& node, int64_t now_ns);
  // NaN for a signal without a value.
  double Number(const Node& node, int64_t now_ns);
  void Expect(int64_t change_ns, int64_t now_ns);

  std::vector<size_t> reads_;
  std::vector<Signal> signals_;
  Node root_;
  int64_t next_change_ns_ = kNever;
};

}  // namespace gleaner::edge
