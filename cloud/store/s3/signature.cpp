#include "cloud/store/s3/signature.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

#include "common/clock.h"
#include "common/digest.h"

namespace gleaner::cloud::s3 {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

// RFC 3986's unreserved characters stay, and slashes in paths.
std::string Encode(std::string_view text, bool keep_slash) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && keep_slash);
    if (plain) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

std::string Query(const std::map<std::string, std::string>& query) {
  std::string text;
  for (const auto& [name, value] : query) {
    if (!text.empty()) text += '&';
    text += fmt::format("{}={}", Encode(name, false), Encode(value, false));
  }
  return text;
}

std::string Hmac(std::string_view key, std::string_view message) {
  return std::string(AsBytes(HmacSha256(key, message)));
}

// "20130524T000000Z"
std::string TimeText(int64_t unix_ns) {
  return fmt::format("{:%Y%m%dT%H%M%SZ}",
                     fmt::gmtime(static_cast<std::time_t>(unix_ns / kNanosPerSecond)));
}

std::string ScopeOf(std::string_view time, const std::string& region) {
  return fmt::format("{}/{}/s3/aws4_request", time.substr(0, 8), region);
}

std::string SignedNames(const std::map<std::string, std::string>& headers) {
  std::string names;
  for (const auto& [name, value] : headers) names += (names.empty() ? "" : ";") + name;
  return names;
}

// Hex. `headers` are all that are signed, in lower case.
std::string Sign(const Signer& signer, const SignedRequest& request,
                 const std::map<std::string, std::string>& headers,
                 const std::map<std::string, std::string>& query, const std::string& time) {
  std::string lines;
  for (const auto& [name, value] : headers) lines += fmt::format("{}:{}\n", name, value);
  const std::string canonical =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, Encode(request.path, true),
                  Query(query), lines, SignedNames(headers), request.body_sha256);
  const std::string to_sign =
      fmt::format("{}\n{}\n{}\n{}", kAlgorithm, time, ScopeOf(time, signer.region),
                  Hex(AsBytes(Sha256::Of(canonical))));
  std::string key = "AWS4" + signer.credentials.secret_key;
  for (const std::string_view step :
       {std::string_view(time).substr(0, 8), std::string_view(signer.region),
        std::string_view("s3"), std::string_view("aws4_request")}) {
    key = Hmac(key, step);
  }
  return Hex(Hmac(key, to_sign));
}

}  // namespace

std::map<std::string, std::string> Signer::Headers(const SignedRequest& request,
                                                   int64_t unix_ns) const {
  const std::string time = TimeText(unix_ns);
  std::map<std::string, std::string> headers = request.headers;
  headers["x-amz-date"] = time;
  headers["x-amz-content-sha256"] = request.body_sha256;
  std::map<std::string, std::string> covered = headers;
  covered["host"] = request.host;
  headers["authorization"] =
      fmt::format("{} Credential={}/{},SignedHeaders={},Signature={}", kAlgorithm,
                  credentials.access_key, ScopeOf(time, region), SignedNames(covered),
                  Sign(*this, request, covered, request.query, time));
  return headers;
}

std::string Signer::PresignedTarget(const SignedRequest& request, int64_t unix_ns,
                                    int64_t seconds) const {
  const std::string time = TimeText(unix_ns);
  const std::map<std::string, std::string> covered = {{"host", request.host}};
  std::map<std::string, std::string> query = request.query;
  query["X-Amz-Algorithm"] = kAlgorithm;
  query["X-Amz-Credential"] = fmt::format("{}/{}", credentials.access_key, ScopeOf(time, region));
  query["X-Amz-Date"] = time;
  query["X-Amz-Expires"] = std::to_string(seconds);
  query["X-Amz-SignedHeaders"] = SignedNames(covered);
  const std::string signature = Sign(*this, request, covered, query, time);
  query["X-Amz-Signature"] = signature;
  return Target(request.path, query);
}

std::string Target(const std::string& path, const std::map<std::string, std::string>& query) {
  const std::string text = Query(query);
  return Encode(path, true) + (text.empty() ? "" : "?" + text);
}

}  // namespace gleaner::cloud::s3
