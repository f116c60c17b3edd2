#include "cloud/clips/clip_words.h"

#include <fmt/format.h>

#include "cloud/search/media_word.h"
#include "common/clip_key.h"
#include "common/name.h"
#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cloud {
namespace {

using Value = FilterWord::Value;

// A camera or codec that fewer tracks have is looked up, one that more have is come across soon.
constexpr uint64_t kFewTracks = 10'000;

bool AllOf(std::string_view text, std::string_view letters) {
  return text.find_first_not_of(letters) == std::string_view::npos;
}

// One value of media. Its number isn't a parameter: the indexes over the clips of one state, and
// over those that have a reason, are for these very terms.
std::string MediaIs(const std::string& value) {
  if (const auto reason = ReasonOf(value)) {
    return fmt::format("clip.media_reason > 0 AND clip.media_reason = {}",
                       static_cast<int>(*reason));
  }
  const int state = value == "ok"       ? v1::MediaCheck::STATE_OK
                    : value == "failed" ? v1::MediaCheck::STATE_FAILED
                                        : v1::MediaCheck::STATE_PENDING;
  return fmt::format("clip.media_state = {}", state);
}

std::string AnyMedia(const FilterTerm& term) {
  std::string any;
  for (const std::string& value : term.values) any += (any.empty() ? "" : " OR ") + MediaIs(value);
  return any;
}

std::vector<std::string> MediaWords() {
  std::vector<std::string> words = {"ok", "failed", "pending"};
  for (int i = v1::MediaCheck::Reason_MIN; i <= v1::MediaCheck::Reason_MAX; ++i) {
    std::string word = ReasonWord(static_cast<v1::MediaCheck::Reason>(i));
    if (!word.empty()) words.push_back(std::move(word));
  }
  return words;
}

// Either way costs a scan where the other does not: a list of all the clips that have what most
// have, or a look at every clip for what hardly one has.
std::string AnyTrack(const std::string& column, const std::vector<std::string>& values,
                     FilterSql& to) {
  Parameters of_count;
  FilterSql count(to.sql(), to.of(), of_count);
  const std::string query =
      fmt::format("SELECT COUNT(*) FROM (SELECT 1 FROM track WHERE {} LIMIT {}) AS tracks",
                  count.AnyOf(column, values), kFewTracks);
  uint64_t tracks = 0;
  to.sql().QueryOnce(query, of_count, Out(tracks), [] {});
  const std::string any = to.AnyOf("track." + column, values);
  return tracks < kFewTracks
             ? fmt::format("clip.arrival IN (SELECT track.arrival FROM track WHERE {})", any)
             : fmt::format("EXISTS (SELECT 1 FROM track WHERE track.arrival = clip.arrival AND {})",
                           any);
}

std::string WrongId(std::string_view text) {
  return !text.empty() && text.size() <= kClipIdDigits && AllOf(text, "0123456789abcdef")
             ? ""
             : fmt::format("\"{}\": an id has {} hex digits, of which the first few will do", text,
                           kClipIdDigits);
}

// Whole ids, or how they begin. By the ids' own index: the planner can't know how few begin so.
std::string AnyId(const FilterTerm& term, FilterSql& to) {
  std::string any;
  for (const std::string& begin : term.values) {
    const std::string from = to.Bind(begin);
    const std::string until = to.Bind(begin + "g");  // behind every hex digit
    any +=
        fmt::format("{}(begun.id >= {} AND begun.id < {})", any.empty() ? "" : " OR ", from, until);
  }
  return fmt::format("clip.arrival IN (SELECT begun.arrival FROM clip AS begun WHERE {})", any);
}

std::string WrongCodec(std::string_view text) {
  return !text.empty() && text.size() <= 32 && AllOf(text, "abcdefghijklmnopqrstuvwxyz0123456789_")
             ? ""
             : fmt::format("\"{}\": a codec is a name such as h264 or hevc", text);
}

std::string WrongSite(std::string_view text) {
  return text.empty() || IsName(text) ? "" : NotAName(text);
}

FilterWord Column(std::string key, std::string help, std::string example) {
  const std::string column = "clip." + key;
  return {.key = key,
          .help = std::move(help),
          .example = std::move(example),
          .condition = [column](const FilterTerm& term,
                                FilterSql& to) { return to.AnyOf(column, term.values); },
          .facet = [key](Sql&) { return FilterFacet{.join = "", .value = "found." + key}; }};
}

FilterWord Fired(std::string key, const char* comparison, std::string help, std::string example) {
  return {.key = std::move(key),
          .value = Value::kMoment,
          .most_values = 1,
          .help = std::move(help),
          .example = std::move(example),
          .condition = [comparison](const FilterTerm& term, FilterSql& to) {
            return fmt::format("clip.fired_ns {} {}", comparison, to.Bind(term.unix_ns));
          }};
}

}  // namespace

std::string ClipsWithCamera(const std::vector<std::string>& cameras, FilterSql& to) {
  return AnyTrack("camera", cameras, to);
}

std::vector<FilterWord> ClipWords() {
  FilterWord site =
      Column("site", "where the device was; \"\" for clips without a site", "site:store-7");
  site.value = Value::kText;
  site.wrong = WrongSite;
  return {
      Column("device", "names of devices", "device:cart-1,cart-2"),
      std::move(site),
      Column("rule", "the rule that fired", "-rule:motion"),
      {.key = "camera",
       .help = "clips with such a camera; -camera:x finds those none of whose cameras is x",
       .example = "camera:front",
       .condition = [](const FilterTerm& term,
                       FilterSql& to) { return ClipsWithCamera(term.values, to); }},
      {.key = "codec",
       .value = Value::kText,
       .help = "of a camera's video, as FFmpeg names it",
       .example = "codec:h264,hevc",
       .wrong = WrongCodec,
       .condition = [](const FilterTerm& term,
                       FilterSql& to) { return AnyTrack("codec", term.values, to); }},
      Fired("after", ">=", "fired then or later: a time, a day, or a span back from now",
            "after:2026-11-22T08:00:00Z"),
      Fired("before", "<", "fired before then", "before:3d"),
      {.key = "media",
       .value = Value::kOneOf,
       .one_of = MediaWords(),
       .help = "what the check of its videos found",
       .example = "media:failed",
       .condition = [](const FilterTerm& term, FilterSql&) { return AnyMedia(term); }},
      {.key = "id",
       .value = Value::kText,
       .help = "hex digits: clips whose id is that, or begins so",
       .example = "id:0f3a",
       .wrong = WrongId,
       .condition = AnyId},
  };
}

}  // namespace gleaner::cloud
