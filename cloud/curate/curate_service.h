// v1.CurateService: selections as people and programs ask for them.
#pragma once

#include "cloud/curate/selections.h"
#include "gleaner/v1/curate.grpc.pb.h"

namespace gleaner::cloud {

// Synchronous, as CatalogService is: for the server inside, which has no port.
class CurateService : public v1::CurateService::Service {
 public:
  // Both must outlive it.
  CurateService(Selections& selections, Clock& clock) : selections_(selections), clock_(clock) {}

  grpc::Status CreateSelection(grpc::ServerContext* context,
                               const v1::CreateSelectionRequest* request,
                               v1::CreateSelectionResponse* response) override;
  grpc::Status ListSelections(grpc::ServerContext* context,
                              const v1::ListSelectionsRequest* request,
                              v1::ListSelectionsResponse* response) override;
  grpc::Status GetSelection(grpc::ServerContext* context, const v1::GetSelectionRequest* request,
                            v1::GetSelectionResponse* response) override;
  grpc::Status CompareSelections(grpc::ServerContext* context,
                                 const v1::CompareSelectionsRequest* request,
                                 v1::CompareSelectionsResponse* response) override;
  grpc::Status ListStrategies(grpc::ServerContext* context,
                              const v1::ListStrategiesRequest* request,
                              v1::ListStrategiesResponse* response) override;

 private:
  Selections& selections_;
  Clock& clock_;
};

}  // namespace gleaner::cloud
