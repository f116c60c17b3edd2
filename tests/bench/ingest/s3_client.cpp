#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "common/digest.h"
#include "tests/bench/ingest/clients.h"

namespace gleaner::bench {
namespace {

class S3PutClient : public Client {
 public:
  S3PutClient(const ClientOptions& options, int device) : options_(options), device_(device) {}
  ~S3PutClient() override {
    curl_slist_free_all(headers_);
    curl_easy_cleanup(curl_);
  }

  void Connect() override {
    curl_ = curl_easy_init();
    // The store refuses a body that has another SHA-256.
    headers_ = curl_slist_append(
        nullptr,
        fmt::format("x-amz-content-sha256: {}", Hex(AsBytes(Sha256::Of(Payload())))).c_str());
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(curl_, CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:s3");
    curl_easy_setopt(curl_, CURLOPT_USERPWD, options_.s3_key.c_str());
    curl_easy_setopt(curl_, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl_, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &Ignore);
    Put(fmt::format("hello-{}-{}", options_.round, device_));
  }

  void Send() override {
    for (int clip = 0; clip < options_.clips; ++clip) {
      Put(fmt::format("{}/{}/{}", options_.round, device_, clip));
    }
  }

 private:
  static size_t Ignore(char*, size_t size, size_t count, void*) { return size * count; }
  static size_t Read(char* buffer, size_t size, size_t count, void* user) {
    size_t& at = *static_cast<size_t*>(user);
    const size_t take = std::min(size * count, kClipBytes - at);
    std::memcpy(buffer, Payload().data() + at, take);
    at += take;
    return take;
  }

  void Put(const std::string& key) {
    size_t at = 0;
    const std::string url = fmt::format("{}/{}", options_.address, key);
    curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl_, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(kClipBytes));
    curl_easy_setopt(curl_, CURLOPT_READFUNCTION, &Read);
    curl_easy_setopt(curl_, CURLOPT_READDATA, &at);
    const CURLcode result = curl_easy_perform(curl_);
    long status = 0;  // NOLINT(google-runtime-int): curl's
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK || status / 100 != 2) {
      throw std::runtime_error(
          fmt::format("PUT {}: {}, HTTP status {}", url, curl_easy_strerror(result), status));
    }
  }

  const ClientOptions options_;
  const int device_;
  CURL* curl_ = nullptr;
  curl_slist* headers_ = nullptr;
};

}  // namespace

std::unique_ptr<Client> NewS3PutClient(const ClientOptions& options, int device) {
  return std::make_unique<S3PutClient>(options, device);
}

}  // namespace gleaner::bench
