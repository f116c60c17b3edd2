// Why a connection to the devices' port came to nothing, in words: gRPC's log lines have OpenSSL's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gleaner::cloud {

// See RpcLogWords; nullopt for lines about anything else. They don't say whose connection it was.
std::optional<std::string> HandshakeWords(std::string_view grpc_says);

}  // namespace gleaner::cloud
