#include "cloud/frames/frame_filter.h"

#include <fmt/format.h>

#include "cloud/clips/filter_sql.h"

namespace gleaner::cloud {
namespace {

using Key = FilterTerm::Key;

std::string OwnCamera(const FilterTerm& term, Parameters& parameters) {
  std::string list;
  for (const std::string& value : term.values) {
    if (!list.empty()) list += ", ";
    list += parameters.NextName();
    parameters.Add(value);
  }
  return fmt::format("frame_video.camera IN ({})", list);
}

}  // namespace

std::string FrameCondition(Sql& sql, const Filter& filter, Parameters& parameters) {
  std::string all;
  for (const FilterTerm& term : filter.terms) {
    if (!all.empty()) all += " AND ";
    if (term.key == Key::kCamera) {
      all += fmt::format("{}({})", term.negated ? "NOT " : "", OwnCamera(term, parameters));
    } else {
      all += FilterCondition(sql, Filter{{term}}, parameters);
    }
  }
  return all.empty() ? "1 = 1" : all;
}

}  // namespace gleaner::cloud
