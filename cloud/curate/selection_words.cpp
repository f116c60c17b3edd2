#include "cloud/curate/selection_words.h"

#include <fmt/format.h>

#include "cloud/curate/selection_rows.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

absl::StatusOr<std::string> Selected(const FilterTerm& term, FilterSql& to) {
  std::string numbers;
  for (const std::string& name : term.values) {
    ASSIGN_OR_RETURN(const SelectionRow row, ReadSelection(to.sql(), name));
    numbers += fmt::format("{}{}", numbers.empty() ? "" : ", ", row.number);
  }
  // The clips of its picks are few, and only their frames are looked at.
  return fmt::format(
      "frame.arrival IN (SELECT named.arrival FROM selection_pick AS listed JOIN clip AS named ON "
      "named.id = listed.clip WHERE listed.selection IN ({0})) AND EXISTS (SELECT 1 FROM "
      "selection_pick WHERE selection_pick.clip = clip.id AND selection_pick.camera = "
      "frame_video.camera AND selection_pick.pts = frame.pts AND selection_pick.selection IN "
      "({0}))",
      numbers);
}

absl::StatusOr<FilterFacet> BySelection(Sql&) {
  return FilterFacet{
      .join =
          " JOIN selection_pick ON selection_pick.clip = found.clip AND selection_pick.camera = "
          "found.camera AND selection_pick.pts = found.pts JOIN selection ON selection.number = "
          "selection_pick.selection",
      .value = "selection.name"};
}

}  // namespace

std::vector<FilterWord> SelectionWords() {
  return {{.key = "selected",
           .about = FilterOf::kFrames,
           .help = "names of selections: the frames that they chose",
           .example = "selected:monday",
           .condition = Selected,
           .facet = BySelection}};
}

}  // namespace gleaner::cloud
