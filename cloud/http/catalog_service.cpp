#include "cloud/http/catalog_service.h"

#include "cloud/http/summary.h"
#include "cloud/rpc/answer.h"
#include "cloud/search/filter.h"

namespace gleaner::cloud {
namespace {

constexpr uint32_t kMaxPageSize = 500;
constexpr size_t kMaxCursorBytes = 256;
constexpr size_t kMaxIdBytes = 64;

grpc::Status Invalid(const char* message) { return {grpc::StatusCode::INVALID_ARGUMENT, message}; }

}  // namespace

grpc::Status CatalogService::ListClips(grpc::ServerContext*, const v1::ListClipsRequest* request,
                                       v1::ListClipsResponse* response) {
  if (request->page_size() > kMaxPageSize) return Invalid("page_size: at most 500");
  if (request->page_token().size() > kMaxCursorBytes ||
      request->arrived_after().size() > kMaxCursorBytes) {
    return Invalid("page_token, arrived_after: not a cursor that this server gave");
  }
  const auto filter = ParseFilter(request->filter(), clock_.WallNs(), words_, FilterOf::kClips);
  if (!filter.ok()) return ToCaller(filter.status());
  return Answer(clips_.List(*request, *filter), response);
}

grpc::Status CatalogService::GetClip(grpc::ServerContext*, const v1::GetClipRequest* request,
                                     v1::GetClipResponse* response) {
  if (request->id().empty() || request->id().size() > kMaxIdBytes) {
    return Invalid("id: 20 hexadecimal digits");
  }
  return Answer(clips_.Get(request->id()), response);
}

grpc::Status CatalogService::ListDevices(grpc::ServerContext*,
                                         const v1::ListDevicesRequest* request,
                                         v1::ListDevicesResponse* response) {
  if (!request->name().empty()) {
    auto device = devices_.Get(request->name(), clock_.WallNs());
    if (absl::IsNotFound(device.status())) return grpc::Status::OK;
    return Answer(std::move(device), response->add_devices());
  }
  return Answer(devices_.List(clock_.WallNs()), response);
}

grpc::Status CatalogService::GetSummary(grpc::ServerContext*, const v1::GetSummaryRequest*,
                                        v1::GetSummaryResponse* response) {
  return Answer(ReadSummary(database_, devices_, clock_.WallNs()), response);
}

}  // namespace gleaner::cloud
