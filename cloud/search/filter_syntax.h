// The grammar of filters, without the meaning of words: filter.h has it in full.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace gleaner::cloud {

inline constexpr size_t kMaxFilterBytes = 4096;
inline constexpr size_t kMaxFilterTerms = 32;
inline constexpr size_t kMaxFilterDepth = 8;  // of parentheses

// Columns count from 1, in bytes.
struct RawValue {
  std::string text;
  size_t column = 0;
};
struct RawTerm {
  std::string key;
  size_t column = 0;
  std::vector<RawValue> values;  // behind the colon; none where there is no colon
  std::string comparison;        // "<"; empty where nothing is compared
  size_t comparison_column = 0;
  RawValue number;  // behind the comparison
};

// A filter as it is written: trees of filter.h with the numbers of terms at their ends.
struct RawNode {
  enum class Kind { kTerm, kAll, kAny };
  Kind kind = Kind::kAll;
  bool negated = false;
  size_t term = 0;  // of FilterSyntax::terms
  std::vector<RawNode> parts;
};
struct FilterSyntax {
  std::vector<RawTerm> terms;  // in the order of the text
  RawNode root;
};

// INVALID_ARGUMENT: "filter, column 8: expected a value after ":"".
absl::StatusOr<FilterSyntax> ReadSyntax(std::string_view text);

absl::Status FilterMistake(size_t column, std::string_view what);

}  // namespace gleaner::cloud
