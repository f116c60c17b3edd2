// What people's calls read ends with the call: at its deadline, when the caller is gone, when the
// server stops, and after kMostOfARead at the latest.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "grpcpp/support/server_interceptor.h"

namespace gleaner::cloud {

inline constexpr std::chrono::seconds kMostOfARead{20};

// For ServerBuilder::experimental().SetInterceptorCreators(). Each call's handler runs under a
// ReadBound: gRPC 1.51's synchronous server calls interceptors on the thread of the handler.
std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> BoundedCalls();

}  // namespace gleaner::cloud
