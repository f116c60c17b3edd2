// Requests and answers with a body: of what type it is, in what coding, compressed where it pays.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cloud/http/http_message.h"

namespace gleaner::cloud {

// "application/json; charset=utf-8" → "application/json"; empty if there is none.
std::string MediaTypeOf(const HttpRequest& request);

// The body is as it was sent, or in a coding that the transport has undone.
bool HasKnownCoding(const HttpRequest& request);

// The client takes gzip.
bool AcceptsGzip(const HttpRequest& request);

// Sets status, type and body; compresses text of 1 KiB and more for clients that take it.
void Respond(const HttpRequest& request, HttpResponse& response, int status, std::string body,
             const std::string& content_type);

// A body as it is, without a copy.
void RespondShared(HttpResponse& response, int status, std::shared_ptr<const std::string> body,
                   const std::string& content_type);

// {"code": …, "message": …}, as the Connect protocol says errors.
std::string ErrorJson(std::string_view code, std::string_view message);
void RespondError(const HttpRequest& request, HttpResponse& response, int status,
                  std::string_view code, std::string_view message);
// 415; `accepted` names the types that this takes.
void RespondWrongType(const HttpRequest& request, HttpResponse& response,
                      const std::string& accepted);

}  // namespace gleaner::cloud
