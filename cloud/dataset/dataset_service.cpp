#include "cloud/dataset/dataset_service.h"

#include "cloud/access/audit.h"
#include "cloud/rpc/answer.h"
#include "cloud/rpc/principal.h"

namespace gleaner::cloud {

grpc::Status DatasetService::FreezeDataset(grpc::ServerContext* context,
                                           const v1::FreezeDatasetRequest* request,
                                           v1::FreezeDatasetResponse* response) {
  const auto who = PrincipalOf(*context);
  if (!who.ok()) return ToCaller(who.status());
  const auto audit = Audited(*context, "DatasetService/FreezeDataset", request->name(), clock_);
  return Answer(datasets_.Freeze(*request, who->name, audit), response->mutable_job());
}

grpc::Status DatasetService::ListDatasets(grpc::ServerContext*,
                                          const v1::ListDatasetsRequest* request,
                                          v1::ListDatasetsResponse* response) {
  return Answer(datasets_.List(*request), response);
}

grpc::Status DatasetService::GetDataset(grpc::ServerContext*, const v1::GetDatasetRequest* request,
                                        v1::GetDatasetResponse* response) {
  return Answer(datasets_.Get(request->name()), response);
}

grpc::Status DatasetService::DiffDatasets(grpc::ServerContext*,
                                          const v1::DiffDatasetsRequest* request,
                                          v1::DiffDatasetsResponse* response) {
  return Answer(datasets_.Diff(*request), response);
}

grpc::Status DatasetService::VerifyDataset(grpc::ServerContext*,
                                           const v1::VerifyDatasetRequest* request,
                                           v1::VerifyDatasetResponse* response) {
  auto verified = datasets_.Verify(request->name());
  // What is damaged is what was asked for: the caller hears it.
  if (absl::IsDataLoss(verified.status())) {
    return {grpc::StatusCode::DATA_LOSS, std::string(verified.status().message())};
  }
  return Answer(std::move(verified), response);
}

grpc::Status DatasetService::ExportDataset(grpc::ServerContext* context,
                                           const v1::ExportDatasetRequest* request,
                                           v1::ExportDatasetResponse* response) {
  const auto audit = Audited(*context, "DatasetService/ExportDataset",
                             request->name() + " as " + request->format(), clock_);
  return Answer(datasets_.Export(*request, audit), response);
}

grpc::Status DatasetService::ListExports(grpc::ServerContext*,
                                         const v1::ListExportsRequest* request,
                                         v1::ListExportsResponse* response) {
  return Answer(datasets_.ListExports(request->name()), response);
}

}  // namespace gleaner::cloud
