// v1.LabelService: labels as people and programs ask for them.
#pragma once

#include "cloud/label/labels.h"
#include "cloud/label/predictions.h"
#include "cloud/label/schemas.h"
#include "cloud/label/task_sets.h"
#include "cloud/label/tasks.h"
#include "cloud/search/vocabulary.h"
#include "common/clock.h"
#include "gleaner/v1/label.grpc.pb.h"

namespace gleaner::cloud {

// Synchronous, as CatalogService is: for the server inside, which has no port.
class LabelService : public v1::LabelService::Service {
 public:
  // All must outlive it. `words`: of filters.
  LabelService(Database& database, Frames& frames, Clock& clock, const Vocabulary& words)
      : database_(database),
        clock_(clock),
        words_(words),
        schemas_(database),
        predictions_(database),
        labels_(database),
        task_sets_(database, frames, clock),
        tasks_(database, clock) {}

  grpc::Status CreateSchema(grpc::ServerContext* context, const v1::CreateSchemaRequest* request,
                            v1::CreateSchemaResponse* response) override;
  grpc::Status ListSchemas(grpc::ServerContext* context, const v1::ListSchemasRequest* request,
                           v1::ListSchemasResponse* response) override;
  grpc::Status GetSchema(grpc::ServerContext* context, const v1::GetSchemaRequest* request,
                         v1::GetSchemaResponse* response) override;
  grpc::Status ImportPredictions(grpc::ServerContext* context,
                                 const v1::ImportPredictionsRequest* request,
                                 v1::ImportPredictionsResponse* response) override;
  grpc::Status ListPredictions(grpc::ServerContext* context,
                               const v1::ListPredictionsRequest* request,
                               v1::ListPredictionsResponse* response) override;
  grpc::Status CreateTasks(grpc::ServerContext* context, const v1::CreateTasksRequest* request,
                           v1::CreateTasksResponse* response) override;
  grpc::Status ListTaskSets(grpc::ServerContext* context, const v1::ListTaskSetsRequest* request,
                            v1::ListTaskSetsResponse* response) override;
  grpc::Status GetTaskSet(grpc::ServerContext* context, const v1::GetTaskSetRequest* request,
                          v1::GetTaskSetResponse* response) override;
  grpc::Status ListTasks(grpc::ServerContext* context, const v1::ListTasksRequest* request,
                         v1::ListTasksResponse* response) override;
  grpc::Status TakeTasks(grpc::ServerContext* context, const v1::TakeTasksRequest* request,
                         v1::TakeTasksResponse* response) override;
  grpc::Status SaveLabel(grpc::ServerContext* context, const v1::SaveLabelRequest* request,
                         v1::SaveLabelResponse* response) override;
  grpc::Status SkipTask(grpc::ServerContext* context, const v1::SkipTaskRequest* request,
                        v1::SkipTaskResponse* response) override;
  grpc::Status ReturnTasks(grpc::ServerContext* context, const v1::ReturnTasksRequest* request,
                           v1::ReturnTasksResponse* response) override;
  grpc::Status RequeueTask(grpc::ServerContext* context, const v1::RequeueTaskRequest* request,
                           v1::RequeueTaskResponse* response) override;
  grpc::Status ListLabels(grpc::ServerContext* context, const v1::ListLabelsRequest* request,
                          v1::ListLabelsResponse* response) override;
  grpc::Status ListLikelyErrors(grpc::ServerContext* context,
                                const v1::ListLikelyErrorsRequest* request,
                                v1::ListLikelyErrorsResponse* response) override;
  grpc::Status GetLabelReport(grpc::ServerContext* context,
                              const v1::GetLabelReportRequest* request,
                              v1::GetLabelReportResponse* response) override;

 private:
  Database& database_;
  Clock& clock_;
  const Vocabulary& words_;
  Schemas schemas_;
  Predictions predictions_;
  Labels labels_;
  TaskSets task_sets_;
  Tasks tasks_;
};

}  // namespace gleaner::cloud
