// v1.JobsService: the queue as people see it.
#pragma once

#include "cloud/jobs/jobs.h"
#include "gleaner/v1/jobs.grpc.pb.h"

namespace gleaner::cloud {

// Synchronous, as CatalogService is: for the server inside, which has no port.
class JobsService : public v1::JobsService::Service {
 public:
  // `jobs` must outlive it.
  explicit JobsService(Jobs& jobs) : jobs_(jobs) {}

  grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override;
  grpc::Status GetJob(grpc::ServerContext* context, const v1::GetJobRequest* request,
                      v1::GetJobResponse* response) override;
  grpc::Status CancelJob(grpc::ServerContext* context, const v1::CancelJobRequest* request,
                         v1::CancelJobResponse* response) override;
  grpc::Status RetryJob(grpc::ServerContext* context, const v1::RetryJobRequest* request,
                        v1::RetryJobResponse* response) override;

 private:
  Jobs& jobs_;
};

}  // namespace gleaner::cloud
