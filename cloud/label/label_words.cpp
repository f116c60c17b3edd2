#include "cloud/label/label_words.h"

#include <fmt/format.h>

#include <cmath>

#include "cloud/label/said_classes.h"

namespace gleaner::cloud {
namespace {

using Value = FilterWord::Value;

// A class that fewer labels or predictions name is looked up, one that more name is come across
// soon.
constexpr uint64_t kFewNames = 10'000;

// Of the frame at hand. `frame`: what has its clip, camera and PTS.
constexpr std::string_view kThisFrame =
    "{0}.clip = clip.id AND {0}.camera = frame_video.camera AND {0}.pts = frame.pts";

std::string ThisFrame(std::string_view table) {
  return fmt::format(fmt::runtime(kThisFrame), table);
}

constexpr std::string_view kLabels =
    "label_class JOIN label_current ON label_current.label = label_class.label";
constexpr std::string_view kPredictions =
    "prediction_class JOIN prediction ON prediction.number = prediction_class.prediction JOIN "
    "label_frame ON label_frame.number = prediction.frame";
// The newest one of its frame and schema.
constexpr std::string_view kNewest =
    "NOT EXISTS (SELECT 1 FROM prediction AS later WHERE later.frame = prediction.frame AND "
    "later.schema_name = prediction.schema_name AND later.number > prediction.number)";

bool AreFew(std::string_view table, const FilterTerm& term, FilterSql& to) {
  Parameters of_count;
  FilterSql count(to.sql(), to.of(), of_count);
  uint64_t names = 0;
  to.sql().QueryOnce(
      fmt::format("SELECT COUNT(*) FROM (SELECT 1 FROM {} WHERE {} LIMIT {}) AS names", table,
                  count.AnyOf("class", term.values), kFewNames),
      of_count, Out(names), [] {});
  return names < kFewNames;
}

// Only the clips of those that are named are looked at, where they are few.
std::string AnyClass(std::string_view tables, std::string_view named, std::string_view of_frame,
                     const FilterTerm& term, FilterSql& to) {
  const auto fits = [&] {
    const std::string table(named);
    std::string text = to.AnyOf(table + ".class", term.values);
    if (term.comparison != FilterTerm::Comparison::kNone) {
      text += fmt::format(" AND {}.confidence {} {}", table, ComparisonText(term.comparison),
                          to.Bind(int64_t{std::llround(term.number * kWholeConfidence)}));
    }
    return text;
  };
  std::string text;
  if (AreFew(named, term, to)) {
    text = fmt::format(
        "frame.arrival IN (SELECT named.arrival FROM {} JOIN clip AS named ON named.id = {}.clip "
        "WHERE {}) AND ",
        tables, of_frame, fits());
  }
  return text + fmt::format("EXISTS (SELECT 1 FROM {} WHERE {} AND {}", tables, ThisFrame(of_frame),
                            fits());
}

std::string Labelled(const FilterTerm& term, FilterSql& to) {
  return AnyClass(kLabels, "label_class", "label_current", term, to) + ")";
}

std::string Predicted(const FilterTerm& term, FilterSql& to) {
  return fmt::format("{} AND {})",
                     AnyClass(kPredictions, "prediction_class", "label_frame", term, to), kNewest);
}

std::string Reviewed(const FilterTerm& term, FilterSql&) {
  bool yes = false, no = false;
  for (const std::string& value : term.values) (value == "yes" ? yes : no) = true;
  if (yes && no) return "1 = 1";
  return fmt::format("{}EXISTS (SELECT 1 FROM label_current WHERE {})", yes ? "" : "NOT ",
                     ThisFrame("label_current"));
}

constexpr std::string_view kFound =
    "{0}.clip = found.clip AND {0}.camera = found.camera AND {0}.pts = found.pts";

FilterFacet LabelFacet() {
  return {.join = fmt::format(" JOIN label_current ON {} JOIN label_class ON label_class.label = "
                              "label_current.label",
                              fmt::format(fmt::runtime(kFound), "label_current")),
          .value = "label_class.class"};
}

FilterFacet PredictedFacet() {
  return {.join = fmt::format(" JOIN label_frame ON {} JOIN prediction ON prediction.frame = "
                              "label_frame.number AND {} JOIN prediction_class ON "
                              "prediction_class.prediction = prediction.number",
                              fmt::format(fmt::runtime(kFound), "label_frame"), kNewest),
          .value = "prediction_class.class"};
}

FilterFacet ReviewedFacet() {
  return {.join = "",
          .value = fmt::format("CASE WHEN EXISTS (SELECT 1 FROM label_current WHERE {}) THEN 'yes' "
                               "ELSE 'no' END",
                               fmt::format(fmt::runtime(kFound), "label_current"))};
}

}  // namespace

std::vector<FilterWord> LabelWords() {
  return {
      {.key = "label",
       .about = FilterOf::kFrames,
       .help = "classes in the frame's label",
       .example = "label:bottle,mug",
       .condition = Labelled,
       .facet = [](Sql&) { return LabelFacet(); }},
      {.key = "predicted",
       .about = FilterOf::kFrames,
       .value = Value::kClass,
       .help = "classes in its newest prediction, with any or so much confidence",
       .example = "predicted:bottle>0.6",
       .condition = Predicted,
       .facet = [](Sql&) { return PredictedFacet(); }},
      {.key = "reviewed",
       .about = FilterOf::kFrames,
       .value = Value::kOneOf,
       .one_of = {"yes", "no"},
       .help = "whether somebody labelled it",
       .example = "reviewed:no",
       .condition = Reviewed,
       .facet = [](Sql&) { return ReviewedFacet(); }},
  };
}

}  // namespace gleaner::cloud
