#include "cloud/curate/curate_service.h"

#include "cloud/access/audit.h"
#include "cloud/curate/strategy/strategy.h"
#include "cloud/rpc/answer.h"
#include "cloud/rpc/principal.h"

namespace gleaner::cloud {

grpc::Status CurateService::CreateSelection(grpc::ServerContext* context,
                                            const v1::CreateSelectionRequest* request,
                                            v1::CreateSelectionResponse* response) {
  const auto who = PrincipalOf(*context);
  if (!who.ok()) return ToCaller(who.status());
  const auto audit = Audited(*context, "CurateService/CreateSelection", request->name(), clock_);
  return Answer(selections_.Create(*request, who->name, audit), response->mutable_job());
}

grpc::Status CurateService::ListSelections(grpc::ServerContext*,
                                           const v1::ListSelectionsRequest* request,
                                           v1::ListSelectionsResponse* response) {
  return Answer(selections_.List(*request), response);
}

grpc::Status CurateService::GetSelection(grpc::ServerContext*,
                                         const v1::GetSelectionRequest* request,
                                         v1::GetSelectionResponse* response) {
  return Answer(selections_.Get(*request), response);
}

grpc::Status CurateService::CompareSelections(grpc::ServerContext*,
                                              const v1::CompareSelectionsRequest* request,
                                              v1::CompareSelectionsResponse* response) {
  return Answer(selections_.Compare(*request), response);
}

grpc::Status CurateService::ListStrategies(grpc::ServerContext*, const v1::ListStrategiesRequest*,
                                           v1::ListStrategiesResponse* response) {
  for (const StrategyEntry& entry : Strategies()) {
    v1::Strategy* one = response->add_strategies();
    one->set_name(std::string(entry.name));
    one->set_about(std::string(entry.summary));
  }
  return grpc::Status::OK;
}

}  // namespace gleaner::cloud
