#include "cloud/search/filter_sql.h"

#include <fmt/format.h>

#include "common/status.h"

namespace gleaner::cloud {
namespace {

absl::StatusOr<std::string> OfTerm(const FilterTerm& term, FilterSql& to) {
  auto condition = term.word->condition(term, to);
  const absl::StatusCode code = condition.status().code();
  const bool of_filter = code == absl::StatusCode::kInvalidArgument ||
                         code == absl::StatusCode::kNotFound ||
                         code == absl::StatusCode::kFailedPrecondition;
  if (!of_filter) return condition;
  return FilterMistake(term.column,
                       fmt::format("{}: {}", term.word->key, Message(condition.status())));
}

absl::StatusOr<std::string> OfNode(const FilterNode& node, FilterSql& to) {
  std::string text;
  if (node.kind == FilterNode::Kind::kTerm) {
    ASSIGN_OR_RETURN(text, OfTerm(node.term, to));
  } else {
    const std::string_view between = node.kind == FilterNode::Kind::kAll ? " AND " : " OR ";
    for (const FilterNode& part : node.parts) {
      ASSIGN_OR_RETURN(const std::string one, OfNode(part, to));
      if (!text.empty()) text += between;
      text += one;
    }
  }
  return fmt::format("{}({})", node.negated ? "NOT " : "", text);
}

}  // namespace

absl::StatusOr<std::string> FilterCondition(Sql& sql, const Filter& filter, FilterOf of,
                                            Parameters& parameters) {
  if (filter.empty()) return std::string("1 = 1");
  FilterSql to(sql, of, parameters);
  const FilterNode& root = filter.root;
  if (root.kind != FilterNode::Kind::kAll || root.negated) return OfNode(root, to);
  // Without parentheses around all of it: planners look for indexes in terms joined by AND.
  std::string text;
  for (const FilterNode& part : root.parts) {
    ASSIGN_OR_RETURN(const std::string one, OfNode(part, to));
    text += (text.empty() ? "" : " AND ") + one;
  }
  return text;
}

}  // namespace gleaner::cloud
