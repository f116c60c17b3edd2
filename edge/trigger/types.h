// Whether an expression compares like with like: numbers with numbers, texts with texts.
#pragma once

#include <functional>
#include <string_view>

#include "absl/status/status.h"
#include "edge/trigger/expression.h"
#include "edge/trigger/signal.h"

namespace gleaner::edge {

// The type of a signal by its name as it is written in a rule.
using TypeOf = std::function<SampleType(std::string_view signal)>;

// INVALID_ARGUMENT with column, what stands there and what would be right: `column 1: barcode is a
// text; compare it with == or != and a text in quotes, or with in (…)`.
absl::Status CheckTypes(const Expression& expression, const TypeOf& type_of);

}  // namespace gleaner::edge
