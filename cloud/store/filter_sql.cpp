#include "cloud/store/filter_sql.h"

#include <fmt/format.h>

#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cloud {
namespace {

using Key = FilterTerm::Key;

int64_t MediaState(const std::string& value) {
  if (value == "ok") return v1::MediaCheck::STATE_OK;
  if (value == "failed") return v1::MediaCheck::STATE_FAILED;
  return v1::MediaCheck::STATE_PENDING;
}

// "column IN (:p3, :p4)"; one value as "=", which uses an index for the order, too.
std::string AnyOf(const std::string& column, const FilterTerm& term, Parameters& parameters) {
  std::string list;
  for (const std::string& value : term.values) {
    list += (list.empty() ? "" : ", ") + parameters.NextName();
    if (term.key == Key::kMedia) {
      parameters.Add(MediaState(value));
    } else {
      parameters.Add(value);
    }
  }
  return term.values.size() == 1 ? fmt::format("{} = {}", column, list)
                                 : fmt::format("{} IN ({})", column, list);
}

std::string AnyTrack(const std::string& column, const FilterTerm& term, Parameters& parameters) {
  return fmt::format("EXISTS (SELECT 1 FROM track WHERE track.arrival = clip.arrival AND {})",
                     AnyOf("track." + column, term, parameters));
}

std::string Compare(const char* comparison, const FilterTerm& term, Parameters& parameters) {
  const std::string name = parameters.NextName();
  parameters.Add(term.unix_ns);
  return fmt::format("fired_ns {} {}", comparison, name);
}

std::string Condition(const FilterTerm& term, Parameters& parameters) {
  switch (term.key) {
    case Key::kDevice:
      return AnyOf("device", term, parameters);
    case Key::kSite:
      return AnyOf("site", term, parameters);
    case Key::kTrigger:
      return AnyOf("rule", term, parameters);
    case Key::kCamera:
      return AnyTrack("camera", term, parameters);
    case Key::kCodec:
      return AnyTrack("codec", term, parameters);
    case Key::kAfter:
      return Compare(">=", term, parameters);
    case Key::kBefore:
      return Compare("<", term, parameters);
    case Key::kMedia:
      return AnyOf("media_state", term, parameters);
    case Key::kId:
      return AnyOf("id", term, parameters);
  }
  return "1 = 1";
}

}  // namespace

std::string FilterCondition(const Filter& filter, Parameters& parameters) {
  std::string all;
  for (const FilterTerm& term : filter.terms) {
    if (!all.empty()) all += " AND ";
    all += fmt::format("{}({})", term.negated ? "NOT " : "", Condition(term, parameters));
  }
  return all.empty() ? "1 = 1" : all;
}

}  // namespace gleaner::cloud
