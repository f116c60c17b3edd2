#include "cloud/frames/frame_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cloud/clips/clip_words.h"
#include "cloud/frames/frame_rows.h"
#include "cloud/media/frame_choice.h"
#include "gleaner/v1/frames.pb.h"

namespace gleaner::cloud {
namespace {

using Value = FilterWord::Value;

// In the order of their numbers.
const std::vector<std::string>& BackgroundWords() {
  static const std::vector<std::string> words = {"unknown", "no", "yes"};
  return words;
}
const std::vector<std::string>& ReasonWords() {
  static const std::vector<std::string> words = {"firing", "peak", "keyframe", "evenly"};
  return words;
}

size_t IndexOf(const std::vector<std::string>& words, const std::string& word) {
  return static_cast<size_t>(std::find(words.begin(), words.end(), word) - words.begin());
}

v1::Frame::Reason ReasonAt(size_t index) { return static_cast<v1::Frame::Reason>(index + 1); }

// The clips that have the camera are found by its tracks, which are fewer than frames.
std::string OwnCamera(const FilterTerm& term, FilterSql& to) {
  const std::string clips = ClipsWithCamera(term.values, to);
  return fmt::format("{} AND {}", clips, to.AnyOf("frame_video.camera", term.values));
}

std::string AnyBackground(const FilterTerm& term, FilterSql&) {
  std::string any;
  for (const std::string& value : term.values) {
    any += fmt::format("{}frame.background = {}", any.empty() ? "" : " OR ",
                       IndexOf(BackgroundWords(), value));
  }
  return any;
}

std::string AnyReason(const FilterTerm& term, FilterSql&) {
  uint32_t any = 0;
  for (const std::string& value : term.values) {
    any |= media::ReasonBit(ReasonAt(IndexOf(ReasonWords(), value)));
  }
  return fmt::format("(frame.reasons & {}) <> 0", any);
}

FilterFacet BackgroundFacet() {
  std::string value = "CASE found.background";
  for (size_t i = 0; i < BackgroundWords().size(); ++i) {
    value += fmt::format(" WHEN {} THEN '{}'", i, BackgroundWords()[i]);
  }
  return {.join = "", .value = value + " ELSE 'unknown' END"};
}

// A frame may have been chosen for several.
FilterFacet ReasonFacet() {
  std::string words;
  for (size_t i = 0; i < ReasonWords().size(); ++i) {
    words += fmt::format("{}SELECT {} AS bit, '{}' AS word", words.empty() ? "" : " UNION ALL ",
                         media::ReasonBit(ReasonAt(i)), ReasonWords()[i]);
  }
  return {.join = fmt::format(" JOIN ({}) AS why ON (found.reasons & why.bit) <> 0", words),
          .value = "why.word"};
}

FilterWord Share(std::string key, std::string help, std::string example) {
  const std::string column = "frame." + key;
  return {.key = std::move(key),
          .about = FilterOf::kFrames,
          .value = Value::kShare,
          .help = std::move(help),
          .example = std::move(example),
          .condition = [column](const FilterTerm& term, FilterSql& to) {
            return fmt::format("{} {} {}", column, ComparisonText(term.comparison),
                               to.Bind(int64_t{std::llround(term.number * kWholeShare)}));
          }};
}

}  // namespace

std::vector<FilterWord> FrameWords() {
  return {
      {.key = "camera",
       .about = FilterOf::kFrames,
       .help = "the frame's camera",
       .example = "camera:front",
       .condition = OwnCamera,
       .facet = [](Sql&) { return FilterFacet{.join = "", .value = "found.camera"}; }},
      {.key = "background",
       .about = FilterOf::kFrames,
       .value = Value::kOneOf,
       .one_of = {"yes", "no", "unknown"},
       .help = "whether it is what its camera sees when nothing is there",
       .example = "background:no",
       .condition = AnyBackground,
       .facet = [](Sql&) { return BackgroundFacet(); }},
      {.key = "reason",
       .about = FilterOf::kFrames,
       .value = Value::kOneOf,
       .one_of = ReasonWords(),
       .help = "why it was chosen",
       .example = "reason:firing,peak",
       .condition = AnyReason,
       .facet = [](Sql&) { return ReasonFacet(); }},
      Share("sharpness", "below 0.2 it is blurred to the eye, mostly", "sharpness<0.2"),
      Share("exposure", "mean brightness", "exposure>=0.1"),
      Share("clipped", "share of pixels as dark or as bright as can be", "clipped<0.3"),
      Share("blocked", "share on which nothing can be told apart: near 1 with a covered lens",
            "-blocked>0.9"),
      Share("motion", "share that changed within half a second", "motion>0.05"),
  };
}

}  // namespace gleaner::cloud
