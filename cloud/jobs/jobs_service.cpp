#include "cloud/jobs/jobs_service.h"

#include <fmt/format.h>

#include "cloud/access/audit.h"
#include "cloud/rpc/answer.h"

namespace gleaner::cloud {

grpc::Status JobsService::ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                                   v1::ListJobsResponse* response) {
  return Answer(jobs_.List(*request), response);
}

grpc::Status JobsService::GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                                 v1::GetJobResponse* response) {
  return Answer(jobs_.Get(request->number()), response->mutable_job());
}

grpc::Status JobsService::CancelJob(grpc::ServerContext* context,
                                    const v1::CancelJobRequest* request,
                                    v1::CancelJobResponse* response) {
  const auto audit = Audited(*context, "JobsService/CancelJob",
                             fmt::format("job {}", request->number()), jobs_.clock());
  return Answer(jobs_.Cancel(request->number(), audit), response->mutable_job());
}

grpc::Status JobsService::RetryJob(grpc::ServerContext* context, const v1::RetryJobRequest* request,
                                   v1::RetryJobResponse* response) {
  const auto audit = Audited(*context, "JobsService/RetryJob",
                             fmt::format("job {}", request->number()), jobs_.clock());
  return Answer(jobs_.Retry(request->number(), audit), response->mutable_job());
}

}  // namespace gleaner::cloud
