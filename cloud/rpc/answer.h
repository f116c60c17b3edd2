// How a service for people answers: one translation of errors for all of them.
#pragma once

#include <grpcpp/support/status.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gleaner::cloud {

// What the caller can mend goes to him as it is. Trouble of our own is the operator's to read: it
// is logged, and the caller hears only that it is there.
grpc::Status ToCaller(const absl::Status& status);

// `result` becomes the answer, or its error the caller's.
template <typename T>
grpc::Status Answer(absl::StatusOr<T> result, T* response) {
  if (!result.ok()) return ToCaller(result.status());
  *response = *std::move(result);
  return grpc::Status::OK;
}

}  // namespace gleaner::cloud
