// What gRPC and protobuf say goes where our own lines go: escaped, with our levels, and no more
// often than LogThrottle allows for each place in their code, since much of it can be caused from
// outside.
#pragma once

namespace gleaner {

// Once, after InitLogging and before either library is used.
void RouteRpcLogs();

}  // namespace gleaner
