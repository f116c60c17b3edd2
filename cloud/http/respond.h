// Answers with a body, compressed where it pays.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "httplib.h"

namespace gleaner::cloud {

// The client takes gzip.
bool AcceptsGzip(const httplib::Request& request);

std::string Gzip(std::string_view bytes);

// Sets status, type and body; compresses text of 1 KiB and more for clients that take it. (The
// library's own compression prefers Brotli at its slowest level, which costs a tenth of a second
// for a page of clips.)
void Respond(const httplib::Request& request, httplib::Response& response, int status,
             std::string body, const std::string& content_type);

// A body as it is, without a copy.
void RespondShared(httplib::Response& response, int status, std::shared_ptr<const std::string> body,
                   const std::string& content_type);

// {"code": …, "message": …}, as the Connect protocol says errors.
void RespondError(const httplib::Request& request, httplib::Response& response, int status,
                  std::string_view code, std::string_view message);

}  // namespace gleaner::cloud
