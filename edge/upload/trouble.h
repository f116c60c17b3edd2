// What a call to the server came to, in words for whoever reads the log, the status or the page.
// gRPC tells of subchannels, addresses and OpenSSL's error numbers.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace gleaner::edge {

struct LinkOptions;

// The same code; UNAVAILABLE and DEADLINE_EXCEEDED, where gRPC made the message, with a sentence
// that names the server, what stands in the way and where to look. What a server said stays.
absl::Status InWords(const grpc::Status& status, const LinkOptions& link);

// Whether no connection came about: `status` is InWords' for that.
bool IsUnreachable(const absl::Status& status);

}  // namespace gleaner::edge
