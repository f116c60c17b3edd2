#include "cloud/label/said_classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "cloud/label/annotation.h"
#include "cloud/label/schemas.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr int kTogether = 250;

// Each class that is named, with its greatest confidence.
std::map<std::string, double> ClassesIn(const v1::LabelSchema& schema, const v1::Annotation& said) {
  std::map<std::string, double> classes;
  const auto add = [&](uint32_t id, double confidence) {
    const v1::LabelClass* known = FindClass(schema, id);
    if (known == nullptr) return;
    const auto [at, is_new] = classes.emplace(known->name(), confidence);
    if (!is_new) at->second = std::max(at->second, confidence);
  };
  for (const v1::LabelBox& box : said.boxes()) add(box.class_id(), box.confidence());
  for (const v1::FrameClass& one : said.classes()) add(one.class_id(), one.confidence());
  return classes;
}

// One that was there before.
struct Unlisted {
  uint64_t number = 0;
  std::string schema, body;
  uint32_t version = 0;
};

// How many are left of the table `of`, "label" or "prediction", after some more.
absl::StatusOr<uint64_t> ListSome(Sql& sql, std::string_view of) {
  std::vector<Unlisted> some;
  Unlisted one;
  BytesOut body{&one.body};
  sql.Query(fmt::format("SELECT {0}.number, {0}.schema_name, {0}.version, {0}.body FROM "
                        "label_unlisted JOIN {0} ON {0}.number = label_unlisted.number WHERE "
                        "label_unlisted.what = :what ORDER BY label_unlisted.number LIMIT :most",
                        of),
            In(of, kTogether), Out(one.number, one.schema, one.version, body),
            [&] { some.push_back(one); });
  for (const Unlisted& each : some) {
    ASSIGN_OR_RETURN(const v1::LabelSchema schema, ReadSchema(sql, each.schema, each.version));
    v1::Annotation said;
    said.ParseFromString(each.body);
    if (of == "label") {
      WriteLabelClasses(sql, each.number, schema, said);
    } else {
      WritePredictionClasses(sql, each.number, schema, said);
    }
    sql.Run("DELETE FROM label_unlisted WHERE what = :what AND number = :number",
            In(of, each.number));
  }
  uint64_t left = 0;
  sql.Query("SELECT COUNT(*) FROM label_unlisted", In(), Out(left), [] {});
  return left;
}

absl::Status ListAll(Database& database, JobRun& run) {
  uint64_t most = 0;
  for (const std::string_view of : {"prediction", "label"}) {
    uint64_t before = 0, left = 0;
    do {
      if (run.stop().stop_requested()) return absl::CancelledError("stopped");
      before = left;
      RETURN_IF_ERROR(database.Write([&](Sql& sql) -> absl::Status {
        ASSIGN_OR_RETURN(left, ListSome(sql, of));
        return absl::OkStatus();
      }));
      most = std::max(most, left);
      run.Report(1 - static_cast<double>(left) / static_cast<double>(std::max<uint64_t>(most, 1)),
                 fmt::format("{} labels and predictions left", left));
    } while (left != before && left > 0);
  }
  return absl::OkStatus();
}

}  // namespace

void WriteLabelClasses(Sql& sql, uint64_t label, const v1::LabelSchema& schema,
                       const v1::Annotation& said) {
  for (const auto& [name, confidence] : ClassesIn(schema, said)) {
    sql.Run("INSERT INTO label_class (label, class) VALUES (:label, :class)", In(label, name));
  }
}

void WritePredictionClasses(Sql& sql, uint64_t prediction, const v1::LabelSchema& schema,
                            const v1::Annotation& said) {
  for (const auto& [name, confidence] : ClassesIn(schema, said)) {
    sql.Run(
        "INSERT INTO prediction_class (prediction, class, confidence) VALUES (:prediction, :class, "
        ":confidence)",
        In(prediction, name, std::llround(confidence * kWholeConfidence)));
  }
}

JobKind ClassesOfBefore(Database& database) {
  return {.name = "label-classes",
          .at_once = 1,
          .run = [&database](JobRun& run) { return ListAll(database, run); },
          .on_given_up = {}};
}

}  // namespace gleaner::cloud
