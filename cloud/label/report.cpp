#include "cloud/label/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cloud/label/annotation.h"
#include "cloud/label/schemas.h"
#include "cloud/label/shares.h"
#include "cloud/label/statistics.h"
#include "common/digest.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

using v1::Task;

// One label that came of a task.
struct Row {
  uint64_t task = 0, pair = 0;
  Task::Kind kind = Task::KIND_UNSPECIFIED;
  double seconds = 0;
  bool fooled = false;
  bool script = false;
  std::string model, model_version;
  v1::Annotation said;
  std::set<uint32_t> classes;  // of `said`

  bool IsWith() const { return kind == Task::KIND_SHOWN; }
  bool IsWithout() const { return kind == Task::KIND_CONTROL; }
};

struct Rows {
  std::vector<Row> rows;
  std::unordered_map<uint64_t, size_t> by_task;
  bool more = false;

  // Of the other person; null where there is none (yet).
  const Row* SecondOf(const Row& row) const {
    const auto found = by_task.find(row.pair);
    if (row.pair == 0 || found == by_task.end()) return nullptr;
    return &rows[found->second];
  }
};

std::set<uint32_t> ClassesOf(const v1::Annotation& annotation) {
  std::set<uint32_t> ids;
  for (const v1::LabelBox& box : annotation.boxes()) ids.insert(box.class_id());
  for (const v1::FrameClass& one : annotation.classes()) ids.insert(one.class_id());
  return ids;
}

v1::Annotation Parse(const std::string& body) {
  v1::Annotation annotation;
  annotation.ParseFromString(body);
  return annotation;
}

Rows ReadRows(Sql& sql, const v1::LabelSchema& schema, uint64_t set) {
  Rows all;
  Row row;
  std::string body, shown_body, predicted_body, reviewer;
  BytesOut out{&body}, shown{&shown_body}, predicted{&predicted_body};
  uint32_t human_ms = 0;
  sql.Query(
      "SELECT label_task.number, label_task.pair, label_task.kind, label.human_ms, "
      "label.reviewer, label.body, label_task.shown, prediction.body, COALESCE(prediction.model, "
      "''), COALESCE(prediction.model_version, '') FROM label JOIN label_task ON label_task.number "
      "= "
      "label.task LEFT JOIN prediction ON prediction.number = label_task.prediction WHERE "
      "label.schema_name = :schema AND label_task.task_set >= :from AND label_task.task_set <= :to "
      "ORDER BY label.number DESC LIMIT :most",
      In(schema.name(), set,
         set == 0 ? std::numeric_limits<int64_t>::max() : static_cast<int64_t>(set),
         kMaxReportLabels + 1),
      Out(row.task, row.pair, row.kind, human_ms, reviewer, out, shown, predicted, row.model,
          row.model_version),
      [&] {
        if (all.rows.size() == kMaxReportLabels) {
          all.more = true;
          return;
        }
        row.seconds = human_ms / 1e3;
        row.script = IsScript(reviewer);
        row.said = Parse(body);
        row.fooled =
            row.kind == Task::KIND_KNOWN_WRONG &&
            KeepsMistake(schema.kind(), Parse(predicted_body), Parse(shown_body), row.said);
        row.classes = ClassesOf(row.said);
        all.by_task[row.task] = all.rows.size();
        all.rows.push_back(row);
      });
  return all;
}

v1::Annotation OnlyClass(const v1::Annotation& annotation, uint32_t id) {
  v1::Annotation only;
  for (const v1::LabelBox& box : annotation.boxes()) {
    if (box.class_id() == id) *only.add_boxes() = box;
  }
  for (const v1::FrameClass& one : annotation.classes()) {
    if (one.class_id() == id) *only.add_classes() = one;
  }
  return only;
}

std::string Words(const v1::LabelReportLine& line) {
  const v1::Measured& saved = line.saved();
  if (saved.labels() == 0) {
    return fmt::format("too few labels to say: {} with pre-labels, {} without",
                       line.seconds_with().labels(), line.seconds_without().labels());
  }
  // Whole percent, of which none is written as -0.
  const auto percent = [](double share) { return std::round(100 * share) + 0.0; };
  const auto interval =
      fmt::format("{:.0f} to {:.0f} %", percent(saved.low()), percent(saved.high()));
  if (saved.low() <= 0 && saved.high() >= 0) {
    return fmt::format("nothing was saved, as far as can be told: {:.0f} % ({})",
                       percent(saved.mean()), interval);
  }
  if (saved.mean() < 0) {
    return fmt::format("nothing was saved: pre-labels cost {:.0f} % more time (saved {})",
                       percent(-saved.mean()), interval);
  }
  return fmt::format("pre-labels save {:.0f} % of the time ({})", percent(saved.mean()), interval);
}

// `which`: the rows it is of. `agree`: of a label and the second opinion; below 0 where neither
// says anything that counts.
v1::LabelReportLine MakeLine(const Rows& all, uint64_t seed,
                             const std::function<bool(const Row&)>& which,
                             const std::function<double(const Row&, const Row&)>& agree) {
  std::vector<double> with, without, accurate_with, accurate_without;
  for (const Row& row : all.rows) {
    if (!row.IsWith() && !row.IsWithout()) continue;
    if (which(row)) (row.IsWith() ? with : without).push_back(row.seconds);
    const Row* second = all.SecondOf(row);
    if (second == nullptr || !(which(row) || which(*second))) continue;
    const double agreement = agree(row, *second);
    if (agreement >= 0) (row.IsWith() ? accurate_with : accurate_without).push_back(agreement);
  }
  v1::LabelReportLine line;
  *line.mutable_seconds_with() = MeanOf(with, seed);
  *line.mutable_seconds_without() = MeanOf(without, seed);
  *line.mutable_accuracy_with() = MeanOf(accurate_with, seed);
  *line.mutable_accuracy_without() = MeanOf(accurate_without, seed);
  *line.mutable_saved() = SavedOf(with, without, seed);
  line.set_words(Words(line));
  return line;
}

// What two people said, thing by thing; 0 is nothing.
Opinions Compare(v1::LabelSchema::Kind kind, const v1::Annotation& a, const v1::Annotation& b) {
  Opinions opinions;
  if (kind == v1::LabelSchema::KIND_TRANSCRIPTION) {
    const auto of = [](const std::string& text) { return static_cast<int>(Xxh3(text) >> 33); };
    return {{of(a.text()), of(b.text())}};
  }
  if (kind == v1::LabelSchema::KIND_CLASSES) {
    // Each class that either says; a frame without any is one thing of no class.
    std::set<uint32_t> of_a = ClassesOf(a), of_b = ClassesOf(b);
    if (of_a.size() <= 1 && of_b.size() <= 1) {
      return {{of_a.empty() ? 0 : static_cast<int>(*of_a.begin()),
               of_b.empty() ? 0 : static_cast<int>(*of_b.begin())}};
    }
    for (const uint32_t id : of_a) {
      opinions.emplace_back(static_cast<int>(id), of_b.contains(id) ? static_cast<int>(id) : 0);
    }
    for (const uint32_t id : of_b) {
      if (!of_a.contains(id)) opinions.emplace_back(0, static_cast<int>(id));
    }
    return opinions;
  }
  // Things that either boxed, whatever they call them.
  std::set<int> of_a, of_b;
  for (const auto& [i, j] : MatchBoxes(a, b, false)) {
    opinions.emplace_back(static_cast<int>(a.boxes(i).class_id()),
                          static_cast<int>(b.boxes(j).class_id()));
    of_a.insert(i);
    of_b.insert(j);
  }
  for (int i = 0; i < a.boxes_size(); ++i) {
    if (!of_a.contains(i)) opinions.emplace_back(static_cast<int>(a.boxes(i).class_id()), 0);
  }
  for (int j = 0; j < b.boxes_size(); ++j) {
    if (!of_b.contains(j)) opinions.emplace_back(0, static_cast<int>(b.boxes(j).class_id()));
  }
  if (opinions.empty()) opinions.emplace_back(0, 0);
  return opinions;
}

// Whether kappa would say something: whether there is more than one thing to say. Of boxes "nothing
// there" is no second one. What neither boxed can't be counted, so that with one class chance alone
// would seem to agree nearly always, and good agreement would be far below 0.
bool CanDiffer(v1::LabelSchema::Kind kind, const std::vector<Opinions>& by_frame) {
  std::set<int> kinds;
  for (const Opinions& opinions : by_frame) {
    for (const auto& [a, b] : opinions) kinds.insert({a, b});
  }
  if (kind == v1::LabelSchema::KIND_BOXES) kinds.erase(0);
  return kinds.size() > 1;
}

// The keys with the most labels, so many as have a line, in their own order.
template <typename Key>
std::vector<Key> MostFrequent(const std::map<Key, size_t>& counts) {
  std::vector<std::pair<size_t, Key>> sorted;
  for (const auto& [key, count] : counts) sorted.emplace_back(count, key);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  if (sorted.size() > kMaxReportLines) sorted.resize(kMaxReportLines);
  std::vector<Key> keys;
  for (const auto& [count, key] : sorted) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace

bool IsScript(std::string_view reviewer) {
  return reviewer == "script" || reviewer.starts_with("script-");
}

absl::StatusOr<v1::GetLabelReportResponse> MakeReport(Database& database,
                                                      const v1::GetLabelReportRequest& request) {
  v1::LabelSchema schema;
  Rows all;
  RETURN_IF_ERROR(database.Read([&](Sql& sql) -> absl::Status {
    ASSIGN_OR_RETURN(schema, ReadSchema(sql, request.schema()));
    all = ReadRows(sql, schema, request.set());
    return absl::OkStatus();
  }));
  const uint64_t seed = request.seed();
  const v1::LabelSchema::Kind kind = schema.kind();
  v1::GetLabelReportResponse report;
  report.set_labels(all.rows.size());
  report.set_more_labels(all.more);
  const auto whole = [&](const Row& a, const Row& b) { return Agreement(kind, a.said, b.said); };
  *report.add_lines() = MakeLine(
      all, seed, [](const Row&) { return true; }, whole);

  std::map<uint32_t, size_t> classes;
  std::map<std::pair<std::string, std::string>, size_t> models;
  std::vector<Opinions> opinions;
  std::vector<double> caught;
  size_t scripts = 0;
  for (const Row& row : all.rows) {
    scripts += row.script ? 1 : 0;
    if (row.kind == Task::KIND_KNOWN_WRONG) caught.push_back(row.fooled ? 0 : 1);
    const Row* second = all.SecondOf(row);
    // A pair counts once; what was shown to be wrong says nothing of how people agree.
    if (second != nullptr && row.kind != Task::KIND_SECOND_OPINION &&
        row.kind != Task::KIND_KNOWN_WRONG) {
      opinions.push_back(Compare(kind, row.said, second->said));
    }
    if (!row.IsWith() && !row.IsWithout()) continue;
    for (const uint32_t id : row.classes) ++classes[id];
    ++models[{row.model, row.model_version}];
  }
  for (const uint32_t id : MostFrequent(classes)) {
    const auto has = [&](const Row& row) { return row.classes.contains(id); };
    v1::LabelReportLine& line = *report.add_lines();
    line = MakeLine(all, seed, has, [&](const Row& a, const Row& b) {
      return Agreement(kind, OnlyClass(a.said, id), OnlyClass(b.said, id));
    });
    const v1::LabelClass* found = FindClass(schema, id);
    line.set_class_name(found != nullptr ? found->name() : fmt::format("class {}", id));
  }
  for (const auto& [model, version] : MostFrequent(models)) {
    v1::LabelReportLine& line = *report.add_lines();
    line = MakeLine(
        all, seed,
        [&](const Row& row) { return row.model == model && row.model_version == version; }, whole);
    line.set_model(model);
    line.set_model_version(version);
  }
  if (CanDiffer(kind, opinions)) *report.mutable_kappa() = KappaOf(opinions, seed);
  *report.mutable_caught() = MeanOf(caught, seed);
  report.set_scripted(scripts > 0 && scripts == all.rows.size());
  report.set_partly_scripted(scripts > 0 && scripts < all.rows.size());
  return report;
}

}  // namespace gleaner::cloud
