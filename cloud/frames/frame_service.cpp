#include "cloud/frames/frame_service.h"

#include "cloud/rpc/answer.h"
#include "cloud/search/filter.h"
#include "common/name.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxTokenBytes = 256;
constexpr size_t kMaxIdBytes = 64;

grpc::Status Invalid(const char* message) { return {grpc::StatusCode::INVALID_ARGUMENT, message}; }

}  // namespace

grpc::Status FrameService::ListFrames(grpc::ServerContext*, const v1::ListFramesRequest* request,
                                      v1::ListFramesResponse* response) {
  if (request->clip().size() > kMaxIdBytes) return Invalid("clip: 20 hexadecimal digits");
  if (request->page_token().size() > kMaxTokenBytes) {
    return Invalid("page_token is not one that this server gave");
  }
  const auto filter = ParseFilter(request->filter(), clock_.WallNs(), words_, FilterOf::kFrames);
  if (!filter.ok()) return ToCaller(filter.status());
  return Answer(frames_.List(*request, *filter), response);
}

grpc::Status FrameService::GetFrame(grpc::ServerContext*, const v1::GetFrameRequest* request,
                                    v1::GetFrameResponse* response) {
  const v1::FrameId& id = request->id();
  if (id.clip().empty() || id.clip().size() > kMaxIdBytes) {
    return Invalid("id.clip: 20 hexadecimal digits");
  }
  if (!IsName(id.camera())) return Invalid("id.camera: the name of a camera");
  return Answer(frames_.Get({.clip = id.clip(), .camera = id.camera(), .pts = id.pts()}),
                response->mutable_frame());
}

}  // namespace gleaner::cloud
