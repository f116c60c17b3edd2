#include "cloud/label/frame_opinions.h"

#include <fmt/format.h>

namespace gleaner::cloud {
namespace {

std::string OfClips(const std::vector<std::string>& clips, Parameters& parameters) {
  std::string list;
  for (const std::string& clip : clips) {
    list += (list.empty() ? "" : ", ") + parameters.NextName();
    parameters.Add(clip);
  }
  return fmt::format("label_frame.clip IN ({})", list);
}

std::string Bind(std::string_view text, Parameters& parameters) {
  std::string name = parameters.NextName();
  parameters.Add(text);
  return name;
}

}  // namespace

void ReadPredictionsOf(Sql& sql, const std::vector<std::string>& clips, std::string_view schema,
                       std::string_view model,
                       const std::function<void(const FramePrediction&)>& each) {
  if (clips.empty()) return;
  Parameters parameters;
  std::string query = fmt::format(
      "SELECT label_frame.clip, label_frame.camera, label_frame.pts, prediction.model, "
      "prediction.model_version, prediction.body FROM label_frame JOIN prediction ON "
      "prediction.frame = label_frame.number WHERE prediction.schema_name = {}",
      Bind(schema, parameters));
  if (!model.empty()) query += " AND prediction.model = " + Bind(model, parameters);
  query += " AND " + OfClips(clips, parameters);
  // The newest of a frame comes last.
  query += " ORDER BY label_frame.number, prediction.number";
  FramePrediction row, newest;
  std::string body;
  BytesOut bytes{&body};
  bool any = false;
  const auto same = [](const FrameName& a, const FrameName& b) {
    return a.clip == b.clip && a.camera == b.camera && a.pts == b.pts;
  };
  sql.QueryOnce(
      query, parameters,
      Out(row.frame.clip, row.frame.camera, row.frame.pts, row.model, row.model_version, bytes),
      [&] {
        if (any && !same(row.frame, newest.frame)) each(newest);
        any = true;
        row.annotation.ParseFromString(body);
        newest = row;
      });
  if (any) each(newest);
}

void ReadLabelsOf(Sql& sql, const std::vector<std::string>& clips, std::string_view schema,
                  const std::function<void(const FrameLabel&)>& each) {
  if (clips.empty()) return;
  Parameters parameters;
  std::string query = fmt::format(
      "SELECT label_frame.clip, label_frame.camera, label_frame.pts, label.verdict, label.made_ns, "
      "label.human_ms, CASE WHEN label_current.label = label.number THEN 1 ELSE 0 END, "
      "COALESCE(prediction.model, ''), label.body FROM label_frame JOIN label ON label.frame = "
      "label_frame.number LEFT JOIN label_current ON label_current.schema_name = label.schema_name "
      "AND label_current.clip = label_frame.clip AND label_current.camera = label_frame.camera AND "
      "label_current.pts = label_frame.pts LEFT JOIN prediction ON prediction.number = "
      "label.prediction WHERE label.schema_name = {}",
      Bind(schema, parameters));
  query += " AND " + OfClips(clips, parameters);
  FrameLabel row;
  std::string body;
  BytesOut bytes{&body};
  sql.QueryOnce(query, parameters,
                Out(row.frame.clip, row.frame.camera, row.frame.pts, row.verdict, row.made_ns,
                    row.human_ms, row.counts, row.model, bytes),
                [&] {
                  row.annotation.ParseFromString(body);
                  each(row);
                });
}

}  // namespace gleaner::cloud
