#include "cloud/label/labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/str_split.h"
#include "cloud/database/pages.h"
#include "cloud/label/annotation.h"
#include "cloud/label/kept_frames.h"
#include "cloud/label/said_classes.h"
#include "cloud/label/schemas.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

std::vector<std::pair<std::string, std::string>> Pairs(
    const google::protobuf::RepeatedPtrField<v1::AttributeValue>& values) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const v1::AttributeValue& one : values) pairs.emplace_back(one.name(), one.value());
  return pairs;
}

void Take(const v1::Annotation& annotation, LabelledFrame& frame) {
  frame.boxes.clear();
  for (const v1::LabelBox& box : annotation.boxes()) {
    frame.boxes.push_back({.x = box.x(),
                           .y = box.y(),
                           .width = box.width(),
                           .height = box.height(),
                           .class_id = box.class_id(),
                           .attributes = Pairs(box.attributes())});
  }
  frame.classes.clear();
  for (const v1::FrameClass& one : annotation.classes()) frame.classes.push_back(one.class_id());
  frame.text = annotation.text();
  frame.attributes = Pairs(annotation.attributes());
}

// One row of `label` with its frame's name.
struct LabelRow {
  static constexpr std::string_view kColumns =
      "label.number, label_frame.clip, label_frame.camera, label_frame.pts, label.schema_name, "
      "label.version, label.prediction, label.verdict, label.reviewer, label.role, label.human_ms, "
      "label.made_ns, label.body";
  uint64_t number = 0, prediction = 0;
  std::string clip, camera, schema, reviewer, body;
  int64_t pts = 0, made_ns = 0;
  uint32_t version = 0, human_ms = 0;
  int verdict = 0, role = 0;
  BytesOut body_out{&body};

  auto outs() {
    return Out(number, clip, camera, pts, schema, version, prediction, verdict, reviewer, role,
               human_ms, made_ns, body_out);
  }
  void CopyTo(v1::Label* label) const {
    label->set_number(number);
    label->mutable_frame()->set_clip(clip);
    label->mutable_frame()->set_camera(camera);
    label->mutable_frame()->set_pts(pts);
    label->set_schema(schema);
    label->set_schema_version(version);
    label->mutable_annotation()->ParseFromString(body);
    label->set_verdict(static_cast<v1::Label::Verdict>(verdict));
    label->set_reviewer(reviewer);
    label->set_reviewer_role(static_cast<v1::Role>(role));
    label->set_prediction(prediction);
    label->set_human_ms(human_ms);
    label->set_made_unix_ns(made_ns);
  }
};

// "clip/camera/pts".
absl::StatusOr<FrameName> ParseToken(const std::string& token) {
  const std::vector<std::string> parts = absl::StrSplit(token, '/');
  FrameName name;
  if (parts.size() == 3) {
    const char* end = parts[2].data() + parts[2].size();
    const auto [stopped, error] = std::from_chars(parts[2].data(), end, name.pts);
    if (error == std::errc() && stopped == end) {
      name.clip = parts[0];
      name.camera = parts[1];
      return name;
    }
  }
  return absl::InvalidArgumentError("page_token: not one that this server gave");
}

}  // namespace

v1::Label WriteLabel(Sql& sql, const NewLabel& label) {
  v1::Label written;
  uint64_t number = 0;
  sql.Query(
      "INSERT INTO label (frame, schema_name, version, task, prediction, verdict, reviewer, role, "
      "human_ms, made_ns, body) VALUES (:frame, :schema, :version, :task, :prediction, :verdict, "
      ":reviewer, :role, :human_ms, :made, :body) RETURNING number",
      In(label.frame, label.schema, label.version, label.task, label.prediction, label.verdict,
         label.reviewer.name, label.reviewer.role, label.human_ms, label.made_ns,
         Bytes{label.annotation.SerializeAsString()}),
      Out(number), [] {});
  if (const auto schema = ReadSchema(sql, label.schema, label.version); schema.ok()) {
    WriteLabelClasses(sql, number, *schema, label.annotation);
  }
  if (label.counts) {
    sql.Run(
        "INSERT INTO label_current (schema_name, clip, camera, pts, label) SELECT "
        "label.schema_name, label_frame.clip, label_frame.camera, label_frame.pts, label.number "
        "FROM label JOIN label_frame ON label_frame.number = label.frame WHERE label.number = "
        ":number ON CONFLICT (schema_name, clip, camera, pts) DO UPDATE SET label = excluded.label",
        In(number));
  }
  LabelRow row;
  sql.Query(fmt::format("SELECT {} FROM label JOIN label_frame ON label_frame.number = label.frame "
                        "WHERE label.number = :number",
                        LabelRow::kColumns),
            In(number), row.outs(), [&] { row.CopyTo(&written); });
  return written;
}

std::optional<v1::Label> LabelOfTask(Sql& sql, uint64_t task, uint64_t frame,
                                     std::string_view schema) {
  std::optional<v1::Label> label;
  LabelRow row;
  // A frame has few labels.
  sql.Query(fmt::format("SELECT {} FROM label JOIN label_frame ON label_frame.number = label.frame "
                        "WHERE label.frame = :frame AND label.schema_name = :schema AND label.task "
                        "= :task",
                        LabelRow::kColumns),
            In(frame, schema, task), row.outs(), [&] { row.CopyTo(&label.emplace()); });
  return label;
}

absl::StatusOr<std::vector<LabelledFrame>> Labels::Page(std::string_view schema,
                                                        const FrameName* after, size_t size) {
  const FrameName from = after == nullptr ? FrameName{} : *after;
  return database_.Read([&](Sql& sql) -> absl::StatusOr<std::vector<LabelledFrame>> {
    std::vector<LabelledFrame> page;
    LabelledFrame one;
    std::string body;
    BytesOut out{&body};
    sql.Query(
        "SELECT label_current.clip, label_current.camera, label_current.pts, label_frame.width, "
        "label_frame.height, label_frame.device, label_frame.site, label_frame.rule, "
        "label_frame.taken_ns, label.number, label.version, label.verdict, label.role, "
        "label.made_ns, label.body, COALESCE(prediction.model, ''), "
        "COALESCE(prediction.model_version, '') FROM label_current JOIN label ON label.number = "
        "label_current.label JOIN label_frame ON label_frame.number = label.frame LEFT JOIN "
        "prediction ON prediction.number = label.prediction WHERE label_current.schema_name = "
        ":schema AND (label_current.clip, label_current.camera, label_current.pts) > (:clip, "
        ":camera, :pts) ORDER BY label_current.clip, label_current.camera, label_current.pts LIMIT "
        ":most",
        In(schema, from.clip, from.camera, from.pts, std::min(size, kMaxPage)),
        Out(one.id.clip, one.id.camera, one.id.pts, one.width, one.height, one.device, one.site,
            one.rule, one.taken_unix_ns, one.label, one.schema_version, one.verdict,
            one.reviewer_role, one.labelled_unix_ns, out, one.model, one.model_version),
        [&] {
          v1::Annotation annotation;
          annotation.ParseFromString(body);
          Take(annotation, one);
          page.push_back(one);
        });
    return page;
  });
}

absl::Status Labels::Walk(std::string_view schema,
                          const std::function<absl::Status(const LabelledFrame&)>& each) {
  FrameName last;
  bool begun = false;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<LabelledFrame> page, Page(schema, begun ? &last : nullptr));
    for (const LabelledFrame& frame : page) RETURN_IF_ERROR(each(frame));
    if (page.size() < kMaxPage) return absl::OkStatus();
    last = page.back().id;
    begun = true;
  }
}

absl::StatusOr<v1::Label> Labels::Create(const v1::SaveLabelRequest& request, const Principal& who,
                                         int64_t now_ns, const Database::Operation& with) {
  if (request.verdict() != v1::Label::VERDICT_CREATED) {
    return absl::InvalidArgumentError("verdict: without a task it is VERDICT_CREATED");
  }
  if (request.human_ms() > kMaxHumanMs) {
    return absl::InvalidArgumentError(fmt::format("human_ms: at most {}", kMaxHumanMs));
  }
  v1::Label label;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    ASSIGN_OR_RETURN(const v1::LabelSchema schema,
                     ReadSchema(sql, request.schema(), request.schema_version()));
    RETURN_IF_ERROR(CheckAnnotation(schema, request.annotation(), SaidBy::kPerson, "annotation"));
    RETURN_IF_ERROR(FindFrame(sql, request.frame(), "frame").status());
    if (with) RETURN_IF_ERROR(with(sql));
    ASSIGN_OR_RETURN(const uint64_t frame, KeepFrame(sql, request.frame()));
    label = WriteLabel(sql, {.frame = frame,
                             .schema = schema.name(),
                             .version = schema.version(),
                             .annotation = request.annotation(),
                             .verdict = request.verdict(),
                             .reviewer = who,
                             .human_ms = request.human_ms(),
                             .made_ns = now_ns});
    return absl::OkStatus();
  }));
  return label;
}

absl::StatusOr<v1::ListLabelsResponse> Labels::List(const v1::ListLabelsRequest& request) {
  const auto page = static_cast<int>(PageSize(request.page_size()));
  const bool of_frame = request.has_frame();
  FrameName after;
  int64_t before = 0;
  if (of_frame) {
    RETURN_IF_ERROR(CheckFrameId(request.frame(), "frame"));
    ASSIGN_OR_RETURN(before, PageBefore(request.page_token()));
  } else if (!request.page_token().empty()) {
    ASSIGN_OR_RETURN(after, ParseToken(request.page_token()));
  }
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListLabelsResponse> {
    RETURN_IF_ERROR(ReadSchema(sql, request.schema()).status());
    v1::ListLabelsResponse response;
    LabelRow row;
    const auto add = [&] {
      if (response.labels_size() < page) return row.CopyTo(response.add_labels());
      const v1::Label& last = response.labels(page - 1);
      response.set_next_page_token(of_frame
                                       ? std::to_string(last.number())
                                       : fmt::format("{}/{}/{}", last.frame().clip(),
                                                     last.frame().camera(), last.frame().pts()));
    };
    if (of_frame) {
      sql.Query(fmt::format("SELECT {} FROM label JOIN label_frame ON label_frame.number = "
                            "label.frame WHERE label.frame = :frame AND label.schema_name = "
                            ":schema AND label.number < :before ORDER BY label.number DESC LIMIT "
                            ":most",
                            LabelRow::kColumns),
                In(FindKeptFrame(sql, request.frame()), request.schema(), before, page + 1),
                row.outs(), add);
    } else {
      sql.Query(
          fmt::format("SELECT {} FROM label_current JOIN label ON label.number = "
                      "label_current.label JOIN label_frame ON label_frame.number = label.frame "
                      "WHERE label_current.schema_name = :schema AND (label_current.clip, "
                      "label_current.camera, label_current.pts) > (:clip, :camera, :pts) ORDER BY "
                      "label_current.clip, label_current.camera, label_current.pts LIMIT :most",
                      LabelRow::kColumns),
          In(request.schema(), after.clip, after.camera, after.pts, page + 1), row.outs(), add);
    }
    return response;
  });
}

}  // namespace gleaner::cloud
