// What a request line asks for (RFC 9112, section 3.2): "/media/1a%20b?download" or, as a proxy
// may write it, "http://host/media/…".
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "cloud/http/http_message.h"

namespace gleaner::cloud {

// Fills in path and query, decoded. `host`: the Host field's value, which an absolute target must
// repeat. What is malformed is an error and never guessed at.
absl::Status ParseRequestTarget(std::string_view target, std::string_view host,
                                HttpRequest* request);

// "example.com:8080", "[::1]", or nothing: one authority, without user or path.
bool IsHost(std::string_view value);

}  // namespace gleaner::cloud
