#include "cloud/label/label_service.h"

#include <fmt/format.h>

#include <cmath>
#include <string>

#include "cloud/access/audit.h"
#include "cloud/label/disagreement.h"
#include "cloud/label/report.h"
#include "cloud/rpc/answer.h"
#include "cloud/search/filter.h"

namespace gleaner::cloud {
namespace {

constexpr uint32_t kMaxErrors = 500;
constexpr uint32_t kUsualErrors = 60;

grpc::Status Invalid(const std::string& message) {
  return {grpc::StatusCode::INVALID_ARGUMENT, message};
}

}  // namespace

// In whose name the call came.
#define ASSIGN_PRINCIPAL(who)                             \
  const auto who##_or = PrincipalOf(*context);            \
  if (!who##_or.ok()) return ToCaller(who##_or.status()); \
  const Principal& who = *who##_or

grpc::Status LabelService::CreateSchema(grpc::ServerContext* context,
                                        const v1::CreateSchemaRequest* request,
                                        v1::CreateSchemaResponse* response) {
  ASSIGN_PRINCIPAL(who);
  const auto audit = Audited(*context, "LabelService/CreateSchema",
                             fmt::format("schema {}", request->schema().name()), clock_);
  return Answer(
      schemas_.Create(request->schema(), who, clock_.WallNs(), audit, request->drop_classes()),
      response);
}

grpc::Status LabelService::ListSchemas(grpc::ServerContext*, const v1::ListSchemasRequest* request,
                                       v1::ListSchemasResponse* response) {
  return Answer(schemas_.List(*request), response);
}

grpc::Status LabelService::GetSchema(grpc::ServerContext*, const v1::GetSchemaRequest* request,
                                     v1::GetSchemaResponse* response) {
  return Answer(schemas_.Get(request->name(), request->version()), response->mutable_schema());
}

grpc::Status LabelService::ImportPredictions(grpc::ServerContext* context,
                                             const v1::ImportPredictionsRequest* request,
                                             v1::ImportPredictionsResponse* response) {
  ASSIGN_PRINCIPAL(who);
  const auto audit = Audited(*context, "LabelService/ImportPredictions",
                             fmt::format("schema {}: {} {}", request->schema(), request->model(),
                                         request->model_version()),
                             clock_);
  return Answer(predictions_.Import(*request, who, clock_.WallNs(), audit), response);
}

grpc::Status LabelService::ListPredictions(grpc::ServerContext*,
                                           const v1::ListPredictionsRequest* request,
                                           v1::ListPredictionsResponse* response) {
  return Answer(predictions_.List(*request), response);
}

grpc::Status LabelService::CreateTasks(grpc::ServerContext* context,
                                       const v1::CreateTasksRequest* request,
                                       v1::CreateTasksResponse* response) {
  const auto filter = ParseFilter(request->filter(), clock_.WallNs(), words_, FilterOf::kFrames);
  if (!filter.ok()) return ToCaller(filter.status());
  ASSIGN_PRINCIPAL(who);
  const auto audit =
      Audited(*context, "LabelService/CreateTasks",
              fmt::format("schema {}: {}", request->schema(),
                          request->likely_errors_from() > 0 ? "likely errors"
                          : request->filter().empty()       ? "all frames"
                                                            : "frames of " + request->filter()),
              clock_);
  return Answer(task_sets_.Create(*request, *filter, who, audit), response->mutable_set());
}

grpc::Status LabelService::ListTaskSets(grpc::ServerContext*,
                                        const v1::ListTaskSetsRequest* request,
                                        v1::ListTaskSetsResponse* response) {
  return Answer(task_sets_.List(*request), response);
}

grpc::Status LabelService::GetTaskSet(grpc::ServerContext*, const v1::GetTaskSetRequest* request,
                                      v1::GetTaskSetResponse* response) {
  return Answer(task_sets_.Get(request->number()), response->mutable_set());
}

grpc::Status LabelService::ListTasks(grpc::ServerContext*, const v1::ListTasksRequest* request,
                                     v1::ListTasksResponse* response) {
  return Answer(tasks_.List(*request), response);
}

grpc::Status LabelService::TakeTasks(grpc::ServerContext* context,
                                     const v1::TakeTasksRequest* request,
                                     v1::TakeTasksResponse* response) {
  ASSIGN_PRINCIPAL(who);
  const auto audit = Audited(*context, "LabelService/TakeTasks",
                             fmt::format("schema {}", request->schema()), clock_);
  return Answer(tasks_.Take(*request, who, audit), response);
}

grpc::Status LabelService::SaveLabel(grpc::ServerContext* context,
                                     const v1::SaveLabelRequest* request,
                                     v1::SaveLabelResponse* response) {
  ASSIGN_PRINCIPAL(who);
  if (request->task() != 0) {
    const auto audit = Audited(*context, "LabelService/SaveLabel",
                               fmt::format("task {}", request->task()), clock_);
    return Answer(tasks_.Save(*request, who, audit), response->mutable_label());
  }
  const auto audit =
      Audited(*context, "LabelService/SaveLabel",
              fmt::format("schema {}: frame {}/{}/{}", request->schema(), request->frame().clip(),
                          request->frame().camera(), request->frame().pts()),
              clock_);
  return Answer(labels_.Create(*request, who, clock_.WallNs(), audit), response->mutable_label());
}

grpc::Status LabelService::SkipTask(grpc::ServerContext* context,
                                    const v1::SkipTaskRequest* request, v1::SkipTaskResponse*) {
  ASSIGN_PRINCIPAL(who);
  const auto audit =
      Audited(*context, "LabelService/SkipTask", fmt::format("task {}", request->number()), clock_);
  return ToCaller(tasks_.Skip(request->number(), request->reason(), who, audit));
}

grpc::Status LabelService::ReturnTasks(grpc::ServerContext* context,
                                       const v1::ReturnTasksRequest* request,
                                       v1::ReturnTasksResponse* response) {
  ASSIGN_PRINCIPAL(who);
  const auto audit = Audited(*context, "LabelService/ReturnTasks",
                             fmt::format("schema {}", request->schema()), clock_);
  const auto returned = tasks_.Return(*request, who, audit);
  if (!returned.ok()) return ToCaller(returned.status());
  response->set_returned(*returned);
  return grpc::Status::OK;
}

grpc::Status LabelService::RequeueTask(grpc::ServerContext* context,
                                       const v1::RequeueTaskRequest* request,
                                       v1::RequeueTaskResponse*) {
  const auto audit = Audited(*context, "LabelService/RequeueTask",
                             fmt::format("task {}", request->number()), clock_);
  return ToCaller(tasks_.Requeue(request->number(), audit));
}

grpc::Status LabelService::ListLabels(grpc::ServerContext*, const v1::ListLabelsRequest* request,
                                      v1::ListLabelsResponse* response) {
  return Answer(labels_.List(*request), response);
}

grpc::Status LabelService::ListLikelyErrors(grpc::ServerContext*,
                                            const v1::ListLikelyErrorsRequest* request,
                                            v1::ListLikelyErrorsResponse* response) {
  if (!request->model().empty()) {
    if (auto named = CheckModelName(request->model(), "model"); !named.ok()) return ToCaller(named);
  }
  const double confidence = request->confidence() == 0 ? kUsualConfidence : request->confidence();
  if (!std::isfinite(confidence) || confidence < 0 || confidence > 1) {
    return Invalid("confidence: above 0, at most 1");
  }
  if (request->most() > kMaxErrors) return Invalid(fmt::format("most: 1 to {}", kMaxErrors));
  return Answer(FindLikelyErrors(database_, request->schema(), request->model(), confidence,
                                 request->most() == 0 ? kUsualErrors : request->most()),
                response);
}

grpc::Status LabelService::GetLabelReport(grpc::ServerContext*,
                                          const v1::GetLabelReportRequest* request,
                                          v1::GetLabelReportResponse* response) {
  return Answer(MakeReport(database_, *request), response);
}

}  // namespace gleaner::cloud
