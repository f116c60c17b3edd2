#include "cloud/search/filter_word.h"

#include <fmt/format.h>

namespace gleaner::cloud {

std::string_view ComparisonText(FilterTerm::Comparison comparison) {
  switch (comparison) {
    case FilterTerm::Comparison::kLess:
      return "<";
    case FilterTerm::Comparison::kLessOrEqual:
      return "<=";
    case FilterTerm::Comparison::kMore:
      return ">";
    case FilterTerm::Comparison::kMoreOrEqual:
      return ">=";
    case FilterTerm::Comparison::kNone:
      break;
  }
  return "";
}

std::string FilterSql::Bind(std::string_view text) {
  std::string name = parameters_.NextName();
  parameters_.Add(text);
  return name;
}

std::string FilterSql::Bind(int64_t number) {
  std::string name = parameters_.NextName();
  parameters_.Add(number);
  return name;
}

std::string FilterSql::AnyOf(std::string_view column, const std::vector<std::string>& values) {
  std::string list;
  for (const std::string& value : values) list += (list.empty() ? "" : ", ") + Bind(value);
  return values.size() == 1 ? fmt::format("{} = {}", column, list)
                            : fmt::format("{} IN ({})", column, list);
}

}  // namespace gleaner::cloud
