// A bucket, by requests that are signed and, where that may help, sent again.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/store/s3/http.h"
#include "cloud/store/s3/signature.h"
#include "common/backoff.h"
#include "common/clock.h"

namespace gleaner::cloud::s3 {

// Where the bucket is.
struct BucketOptions {
  std::string endpoint;  // "https://s3.eu-central-1.amazonaws.com", "http://127.0.0.1:7480"
  std::string bucket;
  std::string region = "us-east-1";
  // What all keys begin with, without a slash at either end; may be empty.
  std::string prefix;
  // ENDPOINT/BUCKET/key, as most stores of one's own want it; else BUCKET.ENDPOINT/key.
  bool path_style = true;
  std::string ca_file;  // PEM; empty: the machine's authorities
  Credentials credentials;
};

// Scheme, host and port that its requests go to.
std::string OriginOf(const BucketOptions& options);

struct Request {
  std::string method;
  std::string key;  // without the prefix; empty: the bucket itself
  std::map<std::string, std::string> query;
  std::map<std::string, std::string> headers;
  const Body* body = nullptr;
  std::string body_sha256;  // hex; empty: of no body. The store refuses a body that has another
  size_t max_answer_bytes = 64 << 10;
};

// Thread-safe; blocks.
class Client {
 public:
  // `clock` outlives it; signatures bear its time.
  Client(BucketOptions options, Clock& clock);

  // The answer, if it is one of success. Errors are sentences that name the bucket and what was
  // asked of it, never the secret:
  //   NOT_FOUND            no such object
  //   OUT_OF_RANGE         it is shorter
  //   PERMISSION_DENIED    the store refuses the key or its secret, or what they may do
  //   FAILED_PRECONDITION  it can't work before somebody acts: no such bucket, clocks apart, …
  //   RESOURCE_EXHAUSTED   the store is full
  //   DATA_LOSS            what arrived there was not what was sent, or isn't what was asked for
  //   UNAVAILABLE          no answer, or not now (503, "slow down"), several times
  absl::StatusOr<HttpAnswer> Send(const Request& request);

  // A URL at which anyone can GET the object for `seconds`. `headers`: what the answer is to say,
  // as {"response-content-type", "video/mp4"}.
  std::string PresignedUrl(const std::string& key, std::map<std::string, std::string> headers,
                           int64_t seconds) const;

  const BucketOptions& options() const { return options_; }
  // "bucket clips at https://…": for sentences.
  const std::string& name() const { return name_; }
  // Ends what is under way, and whatever is asked later: CANCELLED.
  void Stop() { stop_.request_stop(); }

 private:
  std::string PathOf(const std::string& key) const;
  absl::StatusOr<HttpAnswer> SendOnce(const Request& request);
  absl::Status ToStatus(const Request& request, const HttpAnswer& answer) const;

  const BucketOptions options_;
  Clock& clock_;
  const Signer signer_;
  const std::string origin_, host_;  // with the scheme, and without
  const std::string name_;
  Http http_;
  std::stop_source stop_;
  std::mutex mutex_;
  Backoff backoff_;
};

}  // namespace gleaner::cloud::s3
