#include "cloud/clips/filter_sql.h"

#include <fmt/format.h>

#include "cloud/search/media_word.h"
#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cloud {
namespace {

using Key = FilterTerm::Key;

// A camera or codec that fewer tracks have is looked up, one that more have is come across soon.
constexpr uint64_t kFewTracks = 10'000;

// One value of media. Its number isn't a parameter: the indexes over the clips of one state, and
// over those that have a reason, are for these very terms.
std::string MediaIs(const std::string& value) {
  if (const auto reason = ReasonOf(value)) {
    return fmt::format("media_reason > 0 AND media_reason = {}", static_cast<int>(*reason));
  }
  const int state = value == "ok"       ? v1::MediaCheck::STATE_OK
                    : value == "failed" ? v1::MediaCheck::STATE_FAILED
                                        : v1::MediaCheck::STATE_PENDING;
  return fmt::format("media_state = {}", state);
}

std::string AnyMedia(const FilterTerm& term) {
  std::string any;
  for (const std::string& value : term.values) {
    if (!any.empty()) any += " OR ";
    any += MediaIs(value);
  }
  return any;
}

// "column IN (:p3, :p4)"; one value as "=", which uses an index for the order, too.
std::string AnyOf(const std::string& column, const FilterTerm& term, Parameters& parameters) {
  std::string list;
  for (const std::string& value : term.values) {
    if (!list.empty()) list += ", ";
    list += parameters.NextName();
    parameters.Add(value);
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

// Whole ids, or how they begin. By the ids' own index: the planner can't know how few begin so.
std::string AnyId(const FilterTerm& term, Parameters& parameters) {
  std::string any;
  for (const std::string& begin : term.values) {
    const std::string from = parameters.NextName();
    parameters.Add(begin);
    const std::string to = parameters.NextName();
    parameters.Add(begin + "g");  // behind every hex digit
    any += fmt::format("{}(begun.id >= {} AND begun.id < {})", any.empty() ? "" : " OR ", from, to);
  }
  return fmt::format("clip.arrival IN (SELECT begun.arrival FROM clip AS begun WHERE {})", any);
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
    case Key::kRule:
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
      return AnyMedia(term);
    case Key::kId:
      return AnyId(term, parameters);
    default:  // of frames: see frames/frame_filter.h
      break;
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
