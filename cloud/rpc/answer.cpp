#include "cloud/rpc/answer.h"

#include <string>

#include "common/log.h"
#include "common/status.h"

namespace gleaner::cloud {

grpc::Status ToCaller(const absl::Status& status) {
  const auto code = static_cast<grpc::StatusCode>(status.code());
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return grpc::Status::OK;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kDeadlineExceeded:
      return {code, std::string(Message(status))};
    default:
      LOG_ERROR("catalog: {}", Message(status));
      return {code, "the catalog is in trouble; the server's log says what"};
  }
}

}  // namespace gleaner::cloud
