// Whether what a rule waits for can ever come, judged from the values that its signals can have.
//
// Exact for single comparisons; of several of one signal under one `and` their ranges are
// intersected. What it doesn't see (an `or` within an `and`, two signals that move together) is
// taken for possible: it never calls a rule impossible that isn't.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/trigger/expression.h"
#include "edge/trigger/signal.h"

namespace gleaner::edge {

// The range of a signal by its name as it is written in a rule.
using RangeOf = std::function<ValueRange(std::string_view signal)>;

struct Reach {
  // Why the expression can never be true; empty when it can. For people:
  // "motion > 1.5 can never hold, since motion is 0 to 1".
  std::string never;
  // Parts of a rule that can be true which decide nothing: they never hold, or always do.
  std::vector<std::string> idle;
};

Reach JudgeReach(const Expression& expression, const RangeOf& range_of);

}  // namespace gleaner::edge
