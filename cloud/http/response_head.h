// What goes over the wire before an answer's body.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cloud/http/http_message.h"

namespace gleaner::cloud {

enum class Persistence { kClose, kKeep, kKeepHttp10 };

// "HTTP/1.1 200 OK\r\n…\r\n\r\n". `length`: what is said of the body; nothing where it ends with
// the connection or, as with 204 and 304, there is none by definition. Control characters in a
// field's value become spaces: whatever is quoted in one can't begin another.
std::string ResponseHead(int status, const HttpHeaders& headers, std::optional<uint64_t> length,
                         Persistence persistence);

// Of answers that never have a body (RFC 9110).
bool HasNoBody(int status);

}  // namespace gleaner::cloud
