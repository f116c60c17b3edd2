#include "cloud/label/predictions.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "cloud/database/pages.h"
#include "cloud/label/annotation.h"
#include "cloud/label/kept_frames.h"
#include "cloud/label/said_classes.h"
#include "cloud/label/schemas.h"
#include "common/status.h"
#include "common/text.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxErrorBytes = 300;
constexpr uint32_t kFewPredictions = 20;
constexpr uint32_t kMostPredictions = 100;  // a page: they are long

struct Line {
  int64_t number = 0;  // from 1, as editors count
  v1::PredictionLine said;
  std::string body;
};

std::string At(const Line& line) { return fmt::format("json_lines: line {}", line.number); }

// `before`: how many lines of the file came before them.
absl::StatusOr<std::vector<Line>> ParseLines(const std::string& text, int64_t before) {
  std::vector<Line> lines;
  int64_t number = before;
  for (const auto piece : absl::StrSplit(text, '\n')) {
    ++number;
    if (piece.find_first_not_of(" \t\r") == decltype(piece)::npos) continue;
    if (lines.size() == static_cast<size_t>(kMaxPredictionLines)) {
      return absl::InvalidArgumentError(fmt::format(
          "json_lines: more than {} lines: send them in several requests", kMaxPredictionLines));
    }
    Line line{.number = number, .said = {}, .body = {}};
    const auto parsed =
        google::protobuf::util::JsonStringToMessage({piece.data(), piece.size()}, &line.said);
    if (!parsed.ok()) {
      return absl::InvalidArgumentError(Shorten(
          ValidUtf8(fmt::format("{}: {}", At(line), parsed.message().ToString())), kMaxErrorBytes));
    }
    line.body = line.said.annotation().SerializeAsString();
    lines.push_back(std::move(line));
  }
  if (lines.empty()) return absl::InvalidArgumentError("json_lines: 1 line at least");
  std::set<std::tuple<std::string_view, std::string_view, int64_t>> seen;
  for (const Line& line : lines) {
    const v1::FrameId& id = line.said.frame();
    if (!seen.emplace(id.clip(), id.camera(), id.pts()).second) {
      return absl::InvalidArgumentError(At(line) + ": that frame is there twice");
    }
  }
  return lines;
}

struct PredictionRow {
  static constexpr std::string_view kColumns =
      "prediction.number, label_frame.clip, label_frame.camera, label_frame.pts, "
      "prediction.schema_name, prediction.version, prediction.model, prediction.model_version, "
      "prediction.body, prediction.created_ns, prediction.created_by";
  static constexpr std::string_view kTables =
      "prediction JOIN label_frame ON label_frame.number = prediction.frame";
  uint64_t number = 0;
  std::string clip, camera, schema, model, model_version, body, created_by;
  int64_t pts = 0, created_ns = 0;
  uint32_t version = 0;
  BytesOut body_out{&body};

  auto outs() {
    return Out(number, clip, camera, pts, schema, version, model, model_version, body_out,
               created_ns, created_by);
  }
  void CopyTo(v1::Prediction* prediction) const {
    prediction->set_number(number);
    prediction->mutable_frame()->set_clip(clip);
    prediction->mutable_frame()->set_camera(camera);
    prediction->mutable_frame()->set_pts(pts);
    prediction->set_schema(schema);
    prediction->set_schema_version(version);
    prediction->set_model(model);
    prediction->set_model_version(model_version);
    prediction->mutable_annotation()->ParseFromString(body);
    prediction->set_created_unix_ns(created_ns);
    prediction->set_created_by(created_by);
  }
};

// `body`: the annotation as it is kept.
void Insert(Sql& sql, uint64_t frame, const v1::LabelSchema& schema, std::string_view model,
            std::string_view model_version, const v1::Annotation& said, const std::string& body,
            int64_t now_ns, std::string_view by) {
  uint64_t number = 0;
  sql.Query(
      "INSERT INTO prediction (frame, schema_name, version, model, model_version, body, "
      "created_ns, created_by) VALUES (:frame, :schema, :version, :model, :model_version, "
      ":body, :created, :by) RETURNING number",
      In(frame, schema.name(), schema.version(), model, model_version, Bytes{body}, now_ns, by),
      Out(number), [] {});
  WritePredictionClasses(sql, number, schema, said);
}

}  // namespace

absl::Status CheckModelName(std::string_view text, std::string_view field) {
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  });
  if (printable && !text.empty() && text.size() <= kMaxModelBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{}: 1 to {} bytes, no control characters", field, kMaxModelBytes));
}

bool HasPrediction(Sql& sql, const v1::FrameId& frame, std::string_view schema,
                   std::string_view model, std::string_view model_version) {
  uint64_t number = 0;
  return sql.Query(
      "SELECT number FROM prediction WHERE frame = :frame AND schema_name = :schema AND model = "
      ":model AND model_version = :model_version LIMIT 1",
      In(FindKeptFrame(sql, frame), schema, model, model_version), Out(number), [] {});
}

absl::StatusOr<uint32_t> WritePredictions(Sql& sql, const v1::LabelSchema& schema,
                                          std::string_view model, std::string_view model_version,
                                          const std::vector<ModelSaid>& said, std::string_view by,
                                          int64_t now_ns) {
  std::vector<const ModelSaid*> fresh;
  for (const ModelSaid& one : said) {
    RETURN_IF_ERROR(CheckAnnotation(schema, one.annotation, SaidBy::kModel, "annotation"));
    RETURN_IF_ERROR(FindFrame(sql, one.frame, "frame").status());
    if (!HasPrediction(sql, one.frame, schema.name(), model, model_version)) fresh.push_back(&one);
  }
  for (const ModelSaid* one : fresh) {
    ASSIGN_OR_RETURN(const uint64_t frame, KeepFrame(sql, one->frame));
    Insert(sql, frame, schema, model, model_version, one->annotation,
           one->annotation.SerializeAsString(), now_ns, by);
  }
  return static_cast<uint32_t>(fresh.size());
}

std::optional<v1::Prediction> NewestPrediction(Sql& sql, uint64_t frame, std::string_view schema,
                                               std::string_view model) {
  PredictionRow row;
  const bool found =
      sql.Query(fmt::format("SELECT {} FROM {} WHERE prediction.frame = :frame AND "
                            "prediction.schema_name = :schema AND (:any = 1 OR prediction.model = "
                            ":model) ORDER BY prediction.number DESC LIMIT 1",
                            PredictionRow::kColumns, PredictionRow::kTables),
                In(frame, schema, model.empty() ? 1 : 0, model), row.outs(), [] {});
  if (!found) return std::nullopt;
  v1::Prediction prediction;
  row.CopyTo(&prediction);
  return prediction;
}

absl::StatusOr<v1::ImportPredictionsResponse> Predictions::Import(
    const v1::ImportPredictionsRequest& request, const Principal& who, int64_t now_ns,
    const Database::Operation& with) {
  RETURN_IF_ERROR(CheckModelName(request.model(), "model"));
  RETURN_IF_ERROR(CheckModelName(request.model_version(), "model_version"));
  ASSIGN_OR_RETURN(
      const std::vector<Line> lines,
      ParseLines(request.json_lines(), std::max<int64_t>(request.first_line(), 1) - 1));
  // A schema stays as it is: what needs no writer is done before everybody else has to wait.
  ASSIGN_OR_RETURN(const v1::LabelSchema schema, database_.Read([&](Sql& sql) {
    return ReadSchema(sql, request.schema(), request.schema_version());
  }));
  for (const Line& line : lines) {
    RETURN_IF_ERROR(
        CheckAnnotation(schema, line.said.annotation(), SaidBy::kModel, At(line) + ": annotation"));
  }
  v1::ImportPredictionsResponse response;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    response.Clear();
    std::vector<const Line*> fresh;
    for (const Line& line : lines) {
      ASSIGN_OR_RETURN(const uint64_t frame,
                       FindFrame(sql, line.said.frame(), At(line) + ": frame"));
      std::string body;
      BytesOut out{&body};
      if (frame == 0 ||
          !sql.Query(
              "SELECT body FROM prediction WHERE frame = :frame AND schema_name = :schema "
              "AND version = :version AND model = :model AND model_version = :model_version",
              In(frame, schema.name(), schema.version(), request.model(), request.model_version()),
              Out(out), [] {})) {
        fresh.push_back(&line);
      } else if (body == line.body) {
        response.set_already(response.already() + 1);
      } else {
        return absl::AlreadyExistsError(fmt::format(
            "{}: {} {} predicted something else of that frame: give it another model_version",
            At(line), request.model(), request.model_version()));
      }
    }
    if (fresh.empty()) return absl::OkStatus();
    if (with) RETURN_IF_ERROR(with(sql));
    for (const Line* line : fresh) {
      ASSIGN_OR_RETURN(const uint64_t frame, KeepFrame(sql, line->said.frame()));
      Insert(sql, frame, schema, request.model(), request.model_version(), line->said.annotation(),
             line->body, now_ns, who.name);
    }
    response.set_added(static_cast<uint32_t>(fresh.size()));
    return absl::OkStatus();
  }));
  return response;
}

absl::StatusOr<v1::ListPredictionsResponse> Predictions::List(
    const v1::ListPredictionsRequest& request) {
  RETURN_IF_ERROR(CheckFrameId(request.frame(), "frame"));
  ASSIGN_OR_RETURN(const int64_t before, PageBefore(request.page_token()));
  const auto page = static_cast<int>(
      request.page_size() == 0 ? kFewPredictions : std::min(request.page_size(), kMostPredictions));
  return database_.Read([&](Sql& sql) -> absl::StatusOr<v1::ListPredictionsResponse> {
    v1::ListPredictionsResponse response;
    PredictionRow row;
    sql.Query(
        fmt::format("SELECT {} FROM {} WHERE prediction.frame = :frame AND (:any = 1 OR "
                    "prediction.schema_name = :schema) AND prediction.number < :before ORDER "
                    "BY prediction.number DESC LIMIT :most",
                    PredictionRow::kColumns, PredictionRow::kTables),
        In(FindKeptFrame(sql, request.frame()), request.schema().empty() ? 1 : 0, request.schema(),
           before, page + 1),
        row.outs(), [&] {
          if (response.predictions_size() < page) {
            row.CopyTo(response.add_predictions());
          } else {
            response.set_next_page_token(std::to_string(response.predictions(page - 1).number()));
          }
        });
    return response;
  });
}

}  // namespace gleaner::cloud
