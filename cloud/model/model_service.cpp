#include "cloud/model/model_service.h"

#include <fmt/format.h>

#include "cloud/access/audit.h"
#include "cloud/rpc/answer.h"
#include "cloud/search/filter.h"
#include "common/name.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxTokenBytes = 256;

}  // namespace

grpc::Status ModelService::ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                                      v1::ListModelsResponse* response) {
  *response = models_.List();
  return grpc::Status::OK;
}

grpc::Status ModelService::RunModel(grpc::ServerContext* context,
                                    const v1::RunModelRequest* request,
                                    v1::RunModelResponse* response) {
  if (!IsName(request->model())) {
    return {grpc::StatusCode::INVALID_ARGUMENT, fmt::format("model: {}", kNameRule)};
  }
  if (request->page_token().size() > kMaxTokenBytes) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "page_token: not one that this server gave"};
  }
  const auto filter = ParseFilter(request->filter(), clock_.WallNs(), words_, FilterOf::kClips);
  if (!filter.ok()) return ToCaller(filter.status());
  const auto audit =
      Audited(*context, "ModelService/RunModel",
              fmt::format("{} on \"{}\"", request->model(), request->filter()), clock_);
  return Answer(models_.Run(*request, *filter, audit), response);
}

}  // namespace gleaner::cloud
