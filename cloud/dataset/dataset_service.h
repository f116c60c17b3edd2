// v1.DatasetService: datasets as people and programs ask for them.
#pragma once

#include "cloud/dataset/datasets.h"
#include "gleaner/v1/dataset.grpc.pb.h"

namespace gleaner::cloud {

// Synchronous, as CatalogService is: for the server inside, which has no port.
class DatasetService : public v1::DatasetService::Service {
 public:
  // Both must outlive it.
  DatasetService(Datasets& datasets, Clock& clock) : datasets_(datasets), clock_(clock) {}

  grpc::Status FreezeDataset(grpc::ServerContext* context, const v1::FreezeDatasetRequest* request,
                             v1::FreezeDatasetResponse* response) override;
  grpc::Status ListDatasets(grpc::ServerContext* context, const v1::ListDatasetsRequest* request,
                            v1::ListDatasetsResponse* response) override;
  grpc::Status GetDataset(grpc::ServerContext* context, const v1::GetDatasetRequest* request,
                          v1::GetDatasetResponse* response) override;
  grpc::Status DiffDatasets(grpc::ServerContext* context, const v1::DiffDatasetsRequest* request,
                            v1::DiffDatasetsResponse* response) override;
  grpc::Status VerifyDataset(grpc::ServerContext* context, const v1::VerifyDatasetRequest* request,
                             v1::VerifyDatasetResponse* response) override;
  grpc::Status ExportDataset(grpc::ServerContext* context, const v1::ExportDatasetRequest* request,
                             v1::ExportDatasetResponse* response) override;
  grpc::Status ListExports(grpc::ServerContext* context, const v1::ListExportsRequest* request,
                           v1::ListExportsResponse* response) override;

 private:
  Datasets& datasets_;
  Clock& clock_;
};

}  // namespace gleaner::cloud
