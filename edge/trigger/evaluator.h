// Evaluates one expression exactly, event by event. A step function changes only at samples, where
// a `within` runs out and where a value goes stale; the evaluator knows the latter two in advance,
// so that its caller can visit every moment at which the truth may change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/trigger/expression.h"
#include "edge/trigger/signal.h"

namespace gleaner::edge {

// Not thread-safe. State is bounded by the expression and the signals given at construction: a
// `within` needs to remember no more than when its operand last held, a `delta` kMaxChanges changes
// of its signal; with more in its window it has no value.
class Evaluator {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  static constexpr size_t kMaxChanges = 4096;

  // `signals`: the qualified names that exist. A name in the expression that none of them matches
  // never has a value.
  Evaluator(const Expression& expression, std::span<const std::string> signals);

  // The signals, as indexes, that the expression reads.
  const std::vector<size_t>& reads() const { return reads_; }

  // A new value of a signal; `stale_ns` is the moment at which it ends by itself, or kNever. Takes
  // effect with the next EvaluateAt.
  void Set(size_t signal, SampleValue value, int64_t stale_ns);
  // The truth at `now_ns`. Calls go forward in time, or stay, and visit every NextChangeNs().
  bool EvaluateAt(int64_t now_ns);
  // The next moment after the last EvaluateAt at which the truth may change without a new value.
  int64_t NextChangeNs() const { return next_change_ns_; }

 private:
  struct Node {
    Expression::Kind kind;
    Expression::Comparison comparison;
    double number;
    std::string text;
    int64_t window_ns;
    std::vector<size_t> signals;  // kSignal: those that it means
    std::vector<Node> operands;
    // kWithin, kRising:
    bool holds = false;  // the operand, at the last EvaluateAt
    int64_t until_ns;    // kWithin: the end of the window after the operand last held
    int64_t rose_ns;     // kRising: when the operand last became true
    // kDelta: what the operand was in the window, and when it became that; the first may be older.
    std::deque<std::pair<int64_t, double>> changes;
  };
  struct Signal {
    SampleValue value;
    int64_t stale_ns;
  };

  Node Compile(const Expression& expression, std::span<const std::string> signals);
  bool Truth(Node& node, int64_t now_ns);
  // NaN for a signal without a value.
  double Number(Node& node, int64_t now_ns);
  double Delta(Node& node, int64_t now_ns);
  // Of all signals that have one.
  std::vector<std::string_view> Texts(const Node& node, int64_t now_ns);
  bool ComparesTexts(const Node& node) const;
  bool CompareTexts(const Node& node, int64_t now_ns);
  void Expect(int64_t change_ns, int64_t now_ns);

  std::vector<size_t> reads_;
  std::vector<Signal> signals_;
  Node root_;
  int64_t next_change_ns_ = kNever;
};

}  // namespace gleaner::edge
