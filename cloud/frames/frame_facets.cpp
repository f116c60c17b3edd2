#include "cloud/frames/frame_facets.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cloud/search/filter_sql.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// What a FilterFacet may speak of.
absl::StatusOr<std::string> Found(Sql& sql, const Filter& filter, Parameters& parameters) {
  ASSIGN_OR_RETURN(const std::string condition,
                   FilterCondition(sql, filter, FilterOf::kFrames, parameters));
  return fmt::format(
      "(SELECT frame.arrival, frame.position, frame.pts, clip.id AS clip, frame_video.camera, "
      "clip.device, clip.site, clip.rule, frame.reasons, frame.background FROM frame JOIN "
      "frame_video ON frame_video.arrival = frame.arrival AND frame_video.position = "
      "frame.position JOIN clip ON clip.arrival = frame.arrival WHERE {} ORDER BY frame.arrival "
      "DESC, frame.position DESC, frame.pts DESC LIMIT {}) AS found",
      condition, kMaxCountedFrames);
}

// The words that frames are counted by, for people.
std::string Countable(const Vocabulary& words) {
  std::string keys;
  for (const FilterWord* word : words.Words(FilterOf::kFrames)) {
    if (word->facet) keys += (keys.empty() ? "" : ", ") + word->key;
  }
  return keys;
}

// `asked`: by its name, so that it must not be passed over.
absl::Status CountBy(Sql& sql, const Filter& filter, const FilterWord& word, bool asked,
                     v1::GetFrameFacetsResponse* response) {
  ASSIGN_OR_RETURN(const FilterFacet facet, word.facet(sql));
  if (facet.value.empty()) {
    if (!asked) return absl::OkStatus();
    return absl::FailedPreconditionError(fmt::format(
        "keys: frames have no one {} here, so that they can't be counted by it; a filter "
        "may name which: {}",
        word.key, word.help));
  }
  Parameters parameters;
  ASSIGN_OR_RETURN(const std::string found, Found(sql, filter, parameters));
  // A frame has each value once, however often it is said of it.
  const std::string query = fmt::format(
      "SELECT value, COUNT(*) FROM (SELECT DISTINCT found.arrival, found.position, found.pts, {} "
      "AS value FROM {}{}) AS counted GROUP BY value",
      facet.value, found, facet.join);
  std::map<std::string, uint32_t> counts;
  std::string value;
  uint32_t frames = 0;
  sql.QueryOnce(query, parameters, Out(value, frames),
                [&] { counts[facet.name ? facet.name(value) : value] += frames; });
  std::vector<std::pair<std::string, uint32_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (sorted.size() > kMaxFacetValues) sorted.resize(kMaxFacetValues);
  v1::FrameFacet* out = response->add_facets();
  out->set_key(word.key);
  for (const auto& [name, count] : sorted) {
    v1::FacetValue* one = out->add_values();
    one->set_value(name);
    one->set_frames(count);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::GetFrameFacetsResponse> CountFrames(Sql& sql, const Filter& filter,
                                                       const std::vector<std::string>& keys,
                                                       const Vocabulary& words) {
  v1::GetFrameFacetsResponse response;
  std::vector<const FilterWord*> by;
  for (const FilterWord* word : words.Words(FilterOf::kFrames)) {
    if (word->facet && keys.empty()) by.push_back(word);
  }
  for (const std::string& key : keys) {
    const FilterWord* word = words.Find(key, FilterOf::kFrames);
    if (word == nullptr || !word->facet) {
      return absl::InvalidArgumentError(
          fmt::format("keys: nothing is counted by \"{:.40}\", but by {}", key, Countable(words)));
    }
    if (std::find(by.begin(), by.end(), word) == by.end()) by.push_back(word);
  }
  Parameters parameters;
  ASSIGN_OR_RETURN(const std::string found, Found(sql, filter, parameters));
  uint32_t frames = 0;
  sql.QueryOnce("SELECT COUNT(*) FROM " + found, parameters, Out(frames), [] {});
  response.set_frames(frames);
  for (const FilterWord* word : by) {
    RETURN_IF_ERROR(CountBy(sql, filter, *word, !keys.empty(), &response));
  }
  return response;
}

}  // namespace gleaner::cloud
