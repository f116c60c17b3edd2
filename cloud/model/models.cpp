#include "cloud/model/models.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "cloud/model/model_job.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint32_t kPage = 500;

}  // namespace

v1::ListModelsResponse Models::List() const {
  v1::ListModelsResponse response;
  for (const ModelConfig& one : config_.models) {
    v1::Model* model = response.add_models();
    model->set_name(one.name);
    model->set_version(one.version);
    model->set_kind(std::string(WordOf(one.kind)));
    model->set_schema(one.schema);
    std::set<std::string> names;
    for (const auto& [label, name] : one.classes) names.insert(name);
    for (const std::string& name : names) model->add_classes(name);
    model->set_embedding(!one.embedding.empty());
    if (one.kind == ModelKind::kSsd) model->set_threshold(one.threshold);
    model->set_missing(one.missing);
    model->set_frames(metrics_.frames(one.name));
  }
  return response;
}

absl::StatusOr<v1::RunModelResponse> Models::Run(const v1::RunModelRequest& request,
                                                 const Filter& filter,
                                                 const Database::Operation& with) {
  const auto model =
      std::find_if(config_.models.begin(), config_.models.end(),
                   [&](const ModelConfig& one) { return one.name == request.model(); });
  if (model == config_.models.end()) {
    return absl::NotFoundError("model: the server's configuration names no such model");
  }
  if (!model->missing.empty()) return absl::FailedPreconditionError("model: " + model->missing);
  v1::ListClipsRequest list;
  list.set_page_size(kPage);
  list.set_page_token(request.page_token());
  ASSIGN_OR_RETURN(const v1::ListClipsResponse page, clips_.List(list, filter));
  v1::RunModelResponse response;
  RETURN_IF_ERROR(database_.Write([&](Sql& sql) -> absl::Status {
    if (with) RETURN_IF_ERROR(with(sql));
    for (const v1::ClipSummary& clip : page.clips()) {
      AskForModel(sql, *model, clip.device(), clip.id(), clock_.WallNs());
    }
    return absl::OkStatus();
  }));
  response.set_clips(static_cast<uint32_t>(page.clips_size()));
  response.set_next_page_token(page.next_page_token());
  return response;
}

}  // namespace gleaner::cloud
