// What gRPC and protobuf say goes where our own lines go: escaped, with our levels, and no more
// often than LogThrottle allows for each place in their code, since much of it can be caused from
// outside.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gleaner {

// What one of gRPC's lines means, for whoever reads the log; nullopt if there is nothing better to
// say, empty if it is told elsewhere and need not be here (but at the level debug).
using RpcLogWords = std::optional<std::string> (*)(std::string_view grpc_says);

// Once, after InitLogging and before either library is used.
void RouteRpcLogs(RpcLogWords words = nullptr);

}  // namespace gleaner
