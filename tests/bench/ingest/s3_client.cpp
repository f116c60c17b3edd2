#include <fmt/format.h>

#include <memory>

#include "common/digest.h"
#include "tests/bench/ingest/clients.h"
#include "tests/bench/ingest/curl_put.h"

namespace gleaner::bench {
namespace {

class S3PutClient : public Client {
 public:
  S3PutClient(const ClientOptions& options, int device) : options_(options), device_(device) {}

  void Connect() override {
    curl_easy_setopt(put_.handle(), CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:s3");
    curl_easy_setopt(put_.handle(), CURLOPT_USERPWD, options_.s3_key.c_str());
    Put(fmt::format("hello-{}-{}", options_.round, device_));
  }

  void Send() override {
    for (int clip = 0; clip < options_.clips; ++clip) {
      Put(fmt::format("{}/{}/{}", options_.round, device_, clip));
    }
  }

 private:
  void Put(const std::string& key) {
    put_.Put(fmt::format("{}/{}", options_.address, key), kClipBytes);
  }

  const ClientOptions options_;
  const int device_;
  // The store refuses a body that has another SHA-256.
  CurlPut put_{fmt::format("x-amz-content-sha256: {}", Hex(AsBytes(Sha256::Of(Payload()))))};
};

}  // namespace

std::unique_ptr<Client> NewS3PutClient(const ClientOptions& options, int device) {
  return std::make_unique<S3PutClient>(options, device);
}

}  // namespace gleaner::bench
