#include "cloud/store/filter_sql.h"

#include <fmt/format.h>

#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cloud {
namespace {

using Key = FilterTerm::Key;

// A camera or codec that fewer tracks have is looked up, one that more have is come across soon.
constexpr uint64_t kFewTracks = 10'000;

int MediaState(const std::string& value) {
  if (value == "ok") return v1::MediaCheck::STATE_OK;
  if (value == "failed") return v1::MediaCheck::STATE_FAILED;
  return v1::MediaCheck::STATE_PENDING;
}

// "column IN (:p3, :p4)"; one value as "=", which uses an index for the order, too.
std::string AnyOf(const std::string& column, const FilterTerm& term, Parameters& parameters) {
  std::string list;
  for (const std::string& value : term.values) {
    if (!list.empty()) list += ", ";
    if (term.key == Key::kMedia) {
      // Not as a parameter: the indexes over the clips of one state are for this very number.
      list += std::to_string(MediaState(value));
    } else {
      list += parameters.NextName();
      parameters.Add(value);
    }
  }
  return term.values.size() == 1 ? fmt::format("{} = {}", column, list)
                                 : fmt::format("{} IN ({})", column, list);
}

// Either way costs a scan where the other does not: a list of all the clips that have what most
// have, or a look at every clip for what hardly one has.
std::string AnyTrack(Sql& sql, const std::string& column, const FilterTerm& term,
                     Parameters& parameters) {
  Parameters of_count;
  const std::string count =
      fmt::format("SELECT COUNT(*) FROM (SELECT 1 FROM track WHERE {} LIMIT {}) AS tracks",
                  AnyOf(column, term, of_count), kFewTracks);
  uint64_t tracks = 0;
  sql.QueryOnce(count, of_count, Out(tracks), [] {});
  const std::string any = AnyOf("track." + column, term, parameters);
  return tracks < kFewTracks
             ? fmt::format("clip.arrival IN (SELECT track.arrival FROM track WHERE {})", any)
             : fmt::format("EXISTS (SELECT 1 FROM track WHERE track.arrival = clip.arrival AND {})",
                           any);
}

std::string Compare(const char* comparison, const FilterTerm& term, Parameters& parameters) {
  const std::string name = parameters.NextName();
  parameters.Add(term.unix_ns);
  return fmt::format("fired_ns {} {}", comparison, name);
}

std::string Condition(Sql& sql, const FilterTerm& term, Parameters& parameters) {
  switch (term.key) {
    case Key::kDevice:
      return AnyOf("device", term, parameters);
    case Key::kSite:
      return AnyOf("site", term, parameters);
    case Key::kTrigger:
      return AnyOf("rule", term, parameters);
    case Key::kCamera:
      return AnyTrack(sql, "camera", term, parameters);
    case Key::kCodec:
      return AnyTrack(sql, "codec", term, parameters);
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

std::string FilterCondition(Sql& sql, const Filter& filter, Parameters& parameters) {
  std::string all;
  for (const FilterTerm& term : filter.terms) {
    if (!all.empty()) all += " AND ";
    all += fmt::format("{}({})", term.negated ? "NOT " : "", Condition(sql, term, parameters));
  }
  return all.empty() ? "1 = 1" : all;
}

}  // namespace gleaner::cloud
