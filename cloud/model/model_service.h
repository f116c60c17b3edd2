// v1.ModelService: models as people and programs ask for them.
#pragma once

#include "cloud/model/models.h"
#include "cloud/search/vocabulary.h"
#include "common/clock.h"
#include "gleaner/v1/model.grpc.pb.h"

namespace gleaner::cloud {

// Synchronous, as CatalogService is: for the server inside, which has no port.
class ModelService : public v1::ModelService::Service {
 public:
  // All must outlive it. `words`: of filters.
  ModelService(Models& models, Clock& clock, const Vocabulary& words)
      : models_(models), clock_(clock), words_(words) {}

  grpc::Status ListModels(grpc::ServerContext* context, const v1::ListModelsRequest* request,
                          v1::ListModelsResponse* response) override;
  grpc::Status RunModel(grpc::ServerContext* context, const v1::RunModelRequest* request,
                        v1::RunModelResponse* response) override;

 private:
  Models& models_;
  Clock& clock_;
  const Vocabulary& words_;
};

}  // namespace gleaner::cloud
