#include "cloud/http/respond.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"
#include "cloud/http/gzip.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kWorthCompressing = 1024;

bool IsText(const std::string& content_type) {
  return content_type.starts_with("text/") || content_type.starts_with("application/json");
}

}  // namespace

std::string MediaTypeOf(const HttpRequest& request) {
  std::string type = request.headers.Get("Content-Type");
  type.resize(std::min(type.size(), type.find_first_of("; ")));
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return type;
}

bool HasKnownCoding(const HttpRequest& request) {
  static constexpr std::string_view kKnown[] = {"", "identity", "gzip", "deflate"};
  const std::string coding = request.headers.Get("Content-Encoding");
  return std::count(std::begin(kKnown), std::end(kKnown), coding) > 0;
}

bool AcceptsGzip(const HttpRequest& request) {
  const std::string header = request.headers.Get("Accept-Encoding");
  for (const auto& item : absl::StrSplit(header, ',')) {
    std::string coding(item.data(), item.size());
    std::erase(coding, ' ');
    if (coding == "gzip") return true;
    // A weight of naught, "0" to "0.000", is a no (RFC 9110, 12.4.2).
    constexpr std::string_view kWeighed = "gzip;q=";
    if (coding.starts_with(kWeighed)) {
      return coding.find_first_of("123456789", kWeighed.size()) != std::string::npos;
    }
  }
  return false;
}

void RespondShared(HttpResponse& response, int status, std::shared_ptr<const std::string> body,
                   const std::string& content_type) {
  response.status = status;
  response.headers.Set("Content-Type", content_type);
  response.shared_body = std::move(body);
}

void Respond(const HttpRequest& request, HttpResponse& response, int status, std::string body,
             const std::string& content_type) {
  if (IsText(content_type)) {
    response.headers.Set("Vary", "Accept-Encoding");
    if (body.size() >= kWorthCompressing && AcceptsGzip(request)) {
      body = Gzip(body);
      response.headers.Set("Content-Encoding", "gzip");
    }
  }
  response.status = status;
  response.headers.Set("Content-Type", content_type);
  response.body = std::move(body);
}

std::string ErrorJson(std::string_view code, std::string_view message) {
  const nlohmann::json body = {{"code", code}, {"message", message}};
  // `replace`: a message may quote what came from outside.
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void RespondError(const HttpRequest& request, HttpResponse& response, int status,
                  std::string_view code, std::string_view message) {
  response.headers.Set("Cache-Control", "no-store");
  Respond(request, response, status, ErrorJson(code, message), "application/json");
}

void RespondWrongType(const HttpRequest& request, HttpResponse& response,
                      const std::string& accepted) {
  response.headers.Set("Accept-Post", accepted);
  RespondError(
      request, response, 415, "invalid_argument",
      fmt::format("Content-Type is \"{}\"; this takes {}", MediaTypeOf(request), accepted));
}

}  // namespace gleaner::cloud
