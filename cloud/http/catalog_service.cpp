#include "cloud/http/catalog_service.h"

#include "cloud/http/summary.h"
#include "cloud/search/filter.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint32_t kMaxPageSize = 500;
constexpr size_t kMaxCursorBytes = 256;
constexpr size_t kMaxIdBytes = 64;

grpc::Status ToGrpc(const absl::Status& status) {
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const bool callers = absl::IsInvalidArgument(status) || absl::IsNotFound(status);
  if (callers) return {code, std::string(Message(status))};
  // Trouble of our own is the operator's to read, not the caller's.
  LOG_ERROR("catalogue: {}", Message(status));
  return {code, "the catalogue is in trouble; the server's log says what"};
}

template <typename T>
grpc::Status Answer(absl::StatusOr<T> result, T* response) {
  if (!result.ok()) return ToGrpc(result.status());
  *response = *std::move(result);
  return grpc::Status::OK;
}

grpc::Status Invalid(const char* message) { return {grpc::StatusCode::INVALID_ARGUMENT, message}; }

}  // namespace

grpc::Status CatalogService::ListClips(grpc::ServerContext*, const v1::ListClipsRequest* request,
                                       v1::ListClipsResponse* response) {
  if (request->page_size() > kMaxPageSize) return Invalid("page_size: at most 500");
  if (request->page_token().size() > kMaxCursorBytes ||
      request->arrived_after().size() > kMaxCursorBytes) {
    return Invalid("page_token, arrived_after: not a cursor that this server gave");
  }
  const auto filter = ParseFilter(request->filter(), clock_.WallNs());
  if (!filter.ok()) return ToGrpc(filter.status());
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
