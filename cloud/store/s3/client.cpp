#include "cloud/store/s3/client.h"

#include <fmt/format.h>

#include <random>
#include <utility>

#include "cloud/store/s3/answers.h"
#include "common/digest.h"
#include "common/printable.h"
#include "common/status.h"

namespace gleaner::cloud::s3 {
namespace {

constexpr int kAttempts = 6;
constexpr int64_t kFirstWaitNs = 200 * kNanosPerMilli;
constexpr int64_t kLongestWaitNs = 10 * kNanosPerSecond;

uint64_t RandomSeed() {
  std::random_device random;
  return (uint64_t{random()} << 32) | random();
}

bool MayGoBetterLater(const absl::Status& status) { return absl::IsUnavailable(status); }

}  // namespace

std::string OriginOf(const BucketOptions& options) {
  if (options.path_style) return options.endpoint;
  std::string origin = options.endpoint;
  return origin.insert(origin.find("://") + 3, options.bucket + ".");
}

Client::Client(BucketOptions options, Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      signer_{.credentials = options_.credentials, .region = options_.region},
      origin_(OriginOf(options_)),
      host_(origin_.substr(origin_.find("://") + 3)),
      name_(fmt::format("bucket {} at {}", options_.bucket, options_.endpoint)),
      http_(options_.ca_file),
      backoff_(kFirstWaitNs, kLongestWaitNs, RandomSeed()) {}

absl::StatusOr<HttpAnswer> Client::Send(const Request& request) {
  for (int attempt = 0;; ++attempt) {
    auto answer = SendOnce(request);
    if (answer.ok() || !MayGoBetterLater(answer.status())) return answer;
    int64_t wait_ns = 0;
    {
      std::lock_guard lock(mutex_);
      wait_ns = backoff_.NthNs(attempt);
    }
    if (attempt + 1 == kAttempts || !clock_.Sleep(stop_.get_token(), wait_ns)) {
      return absl::UnavailableError(
          fmt::format("{} (tried {} times)", Message(answer.status()), attempt + 1));
    }
  }
}

std::string Client::PresignedUrl(const std::string& key, std::map<std::string, std::string> headers,
                                 int64_t seconds) const {
  return origin_ + signer_.PresignedTarget({.method = "GET",
                                            .host = host_,
                                            .path = PathOf(key),
                                            .query = std::move(headers),
                                            .body_sha256 = "UNSIGNED-PAYLOAD"},
                                           clock_.WallNs(), seconds);
}

std::string Client::PathOf(const std::string& key) const {
  std::string path = "/";
  if (options_.path_style) path += options_.bucket;
  if (key.empty()) return path;
  if (options_.path_style) path += "/";
  if (!options_.prefix.empty()) path += options_.prefix + "/";
  return path + key;
}

absl::StatusOr<HttpAnswer> Client::SendOnce(const Request& request) {
  static const std::string kSha256OfNothing = Hex(AsBytes(Sha256::Of("")));
  const SignedRequest to_sign{
      .method = request.method,
      .host = host_,
      .path = PathOf(request.key),
      .query = request.query,
      .headers = request.headers,
      .body_sha256 = request.body_sha256.empty() ? kSha256OfNothing : request.body_sha256};
  auto answer = http_.Send({.method = request.method,
                            .url = origin_ + Target(to_sign.path, to_sign.query),
                            .headers = signer_.Headers(to_sign, clock_.WallNs()),
                            .body = request.body,
                            .max_answer_bytes = request.max_answer_bytes,
                            .stop = stop_.get_token()});
  if (!answer.ok()) {
    return Annotate(answer.status(),
                    fmt::format("{} {} in {}", request.method, request.key, name_));
  }
  if (answer->status >= 200 && answer->status < 300) return answer;
  return ToStatus(request, *answer);
}

absl::Status Client::ToStatus(const Request& request, const HttpAnswer& answer) const {
  const ErrorAnswer error = ParseError(answer.body);
  const std::string what =
      fmt::format("{} {} in {}: {}{}{}", request.method, request.key, name_, answer.status,
                  error.code.empty() ? "" : " " + Printable(error.code),
                  error.message.empty() ? "" : fmt::format(" ({})", Printable(error.message)));
  if (error.code == "RequestTimeTooSkewed") {
    const auto date = answer.headers.find("date");
    return absl::FailedPreconditionError(
        fmt::format("{}: this machine's clock and the store's are too far apart; the store's says "
                    "{}. Set the clock",
                    what, date == answer.headers.end() ? "nothing" : Printable(date->second)));
  }
  if (error.code == "NoSuchBucket") {
    return absl::FailedPreconditionError(what + ": there is no such bucket; make it first");
  }
  if (error.code == "XAmzContentSHA256Mismatch" || error.code == "BadDigest") {
    return absl::DataLossError(what + ": the bytes that arrived differ from those that were sent");
  }
  if (error.code == "QuotaExceeded" || answer.status == 507) {
    return absl::ResourceExhaustedError(what);
  }
  if (error.code == "RequestTimeout") return absl::UnavailableError(what);
  switch (answer.status) {
    case 401:
    case 403:
      // HEAD has no body to say more.
      return absl::PermissionDeniedError(
          what + ": the store refuses this access key, its secret, or what they may do");
    case 404:
      return absl::NotFoundError(what);
    case 408:
    case 429:
      return absl::UnavailableError(what);
    case 416:
      return absl::OutOfRangeError(what);
    default:
      return answer.status >= 500 && answer.status != 501 ? absl::UnavailableError(what)
                                                          : absl::FailedPreconditionError(what);
  }
}

}  // namespace gleaner::cloud::s3
