#include "cloud/label/disagreement.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cloud/label/annotation.h"
#include "cloud/label/labels.h"
#include "cloud/label/predictions.h"
#include "cloud/label/schemas.h"
#include "cloud/label/task_rows.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

std::string NameOf(const v1::LabelSchema& schema, uint32_t id) {
  const v1::LabelClass* found = FindClass(schema, id);
  return found != nullptr ? found->name() : fmt::format("class {}", id);
}

void Note(std::optional<Disagreement>& worst, double confidence, double least, std::string why) {
  if (confidence < least || (worst && worst->confidence >= confidence)) return;
  worst = Disagreement{.confidence = confidence, .why = std::move(why)};
}

void NoteBox(const v1::LabelSchema& schema, const v1::Annotation& label, const v1::LabelBox& box,
             double least, std::optional<Disagreement>& worst) {
  const v1::LabelBox* other = nullptr;
  double most = 0;
  for (const v1::LabelBox& one : label.boxes()) {
    const double overlap = Overlap(one, box);
    if (overlap < kSameThing) continue;
    if (one.class_id() == box.class_id()) return;
    if (overlap > most) {
      most = overlap;
      other = &one;
    }
  }
  Note(worst, box.confidence(), least,
       fmt::format("{} ({:.2f}) where the label has {}", NameOf(schema, box.class_id()),
                   box.confidence(),
                   other == nullptr ? "nothing" : NameOf(schema, other->class_id())));
}

}  // namespace

std::optional<Disagreement> Disagrees(const v1::LabelSchema& schema, const v1::Annotation& label,
                                      const v1::Annotation& prediction, double least) {
  std::optional<Disagreement> worst;
  for (const v1::LabelBox& box : prediction.boxes()) NoteBox(schema, label, box, least, worst);
  for (const v1::FrameClass& one : prediction.classes()) {
    if (std::none_of(label.classes().begin(), label.classes().end(),
                     [&](const auto& has) { return has.class_id() == one.class_id(); })) {
      Note(worst, one.confidence(), least,
           fmt::format("{} ({:.2f}), which the label lacks", NameOf(schema, one.class_id()),
                       one.confidence()));
    }
  }
  if (prediction.text() != label.text()) {
    Note(worst, prediction.text_confidence(), least,
         fmt::format("another text ({:.2f})", prediction.text_confidence()));
  }
  return worst;
}

absl::StatusOr<v1::ListLikelyErrorsResponse> FindLikelyErrors(Database& database,
                                                              std::string_view schema_name,
                                                              std::string_view model, double least,
                                                              size_t most) {
  Labels labels(database);
  v1::ListLikelyErrorsResponse response;
  std::vector<v1::LikelyError> found;
  const auto worse = [](const v1::LikelyError& a, const v1::LikelyError& b) {
    return a.confidence() > b.confidence();
  };
  v1::ListLabelsRequest page;
  page.set_schema(std::string(schema_name));
  page.set_page_size(Labels::kMaxPage);
  while (response.looked_at() < kMaxLabelsLookedAt) {
    ASSIGN_OR_RETURN(const v1::ListLabelsResponse some, labels.List(page));
    RETURN_IF_ERROR(database.Read([&](Sql& sql) -> absl::Status {
      ASSIGN_OR_RETURN(const v1::LabelSchema schema, ReadSchema(sql, schema_name));
      for (const v1::Label& label : some.labels()) {
        uint64_t frame = 0;
        int kind = 0;
        sql.Query(
            "SELECT label.frame, COALESCE(label_task.kind, 0) FROM label LEFT JOIN label_task ON "
            "label_task.number = label.task WHERE label.number = :number",
            In(label.number()), Out(frame, kind), [] {});
        if (kind == v1::Task::KIND_SECOND_LOOK || HasOpenTask(sql, frame, schema_name)) continue;
        const auto prediction = NewestPrediction(sql, frame, schema_name, model);
        if (!prediction) continue;
        const auto disagrees =
            Disagrees(schema, label.annotation(), prediction->annotation(), least);
        if (!disagrees) continue;
        v1::LikelyError& error = found.emplace_back();
        *error.mutable_label() = label;
        error.set_prediction(prediction->number());
        error.set_confidence(disagrees->confidence);
        error.set_why(disagrees->why);
      }
      return absl::OkStatus();
    }));
    response.set_looked_at(response.looked_at() + static_cast<uint64_t>(some.labels_size()));
    std::stable_sort(found.begin(), found.end(), worse);
    if (found.size() > most) found.resize(most);
    if (some.next_page_token().empty()) break;
    page.set_page_token(some.next_page_token());
  }
  for (v1::LikelyError& error : found) *response.add_errors() = std::move(error);
  return response;
}

}  // namespace gleaner::cloud
