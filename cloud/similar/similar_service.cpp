#include "cloud/similar/similar_service.h"

#include <fmt/format.h>

#include "cloud/rpc/answer.h"
#include "cloud/search/filter.h"
#include "cloud/similar/embeddings.h"
#include "common/name.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxIdBytes = 64;

grpc::Status Invalid(const std::string& message) {
  return {grpc::StatusCode::INVALID_ARGUMENT, message};
}

}  // namespace

grpc::Status SimilarService::FindSimilar(grpc::ServerContext*,
                                         const v1::FindSimilarRequest* request,
                                         v1::FindSimilarResponse* response) {
  if (request->has_frame()) {
    const v1::FrameId& id = request->frame();
    if (id.clip().empty() || id.clip().size() > kMaxIdBytes) {
      return Invalid("frame.clip: 20 hexadecimal digits");
    }
    if (!IsName(id.camera())) return Invalid("frame.camera: the name of a camera");
  }
  if (request->model().size() > kMaxEmbeddingModelBytes) {
    return Invalid(fmt::format("model: at most {} letters", kMaxEmbeddingModelBytes));
  }
  const auto filter = ParseFilter(request->filter(), clock_.WallNs(), words_, FilterOf::kFrames);
  if (!filter.ok()) return ToCaller(filter.status());
  return Answer(frames_.Find(*request, *filter), response);
}

grpc::Status SimilarService::ListEmbeddingModels(grpc::ServerContext*,
                                                 const v1::ListEmbeddingModelsRequest*,
                                                 v1::ListEmbeddingModelsResponse* response) {
  return Answer(frames_.ListModels(), response);
}

}  // namespace gleaner::cloud
