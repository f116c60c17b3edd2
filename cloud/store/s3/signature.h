// AWS Signature Version 4, as every S3 store understands it: for headers and for URLs that anyone
// may use for a while ("presigned").
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
//
// libcurl has it as well (CURLOPT_AWS_SIGV4), but for headers only, and Debian's 7.88 takes the
// query as it stands, neither sorted nor encoded nor with the "=" of a parameter without a value,
// hashes no body that is read piece by piece, and takes the time from the machine's clock. With
// URLs to sign anyway, one signer for both is less than the work-arounds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace gleaner::cloud::s3 {

struct Credentials {
  std::string access_key, secret_key;
};

// What a signature covers.
struct SignedRequest {
  std::string method;                        // "GET"
  std::string host;                          // as in the Host header, with a port that isn't usual
  std::string path;                          // "/bucket/key", not encoded
  std::map<std::string, std::string> query;  // not encoded; empty values stay "name="
  std::map<std::string, std::string> headers;  // names in lower case; without host and date
  std::string body_sha256;                     // hex, or "UNSIGNED-PAYLOAD"
};

// The scope of signatures: they hold for one region.
struct Signer {
  Credentials credentials;
  std::string region;

  // The request's headers with x-amz-date, x-amz-content-sha256 and authorization.
  std::map<std::string, std::string> Headers(const SignedRequest& request, int64_t unix_ns) const;
  // "/path?query" that whoever has it may GET from `host` for `seconds`.
  std::string PresignedTarget(const SignedRequest& request, int64_t unix_ns, int64_t seconds) const;
};

// "/path?query", encoded as signatures want it: the query sorted by name.
std::string Target(const std::string& path, const std::map<std::string, std::string>& query);

}  // namespace gleaner::cloud::s3
