#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "common/digest.h"
#include "common/file.h"
#include "tests/bench/ingest/clients.h"

namespace gleaner::bench {
namespace {

double ThreadCpuSeconds() {
  timespec used;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

class PutClient : public Client {
 public:
  PutClient(const ClientOptions& options, int device) : options_(options), device_(device) {}
  ~PutClient() override {
    curl_slist_free_all(headers_);
    curl_easy_cleanup(curl_);
  }

  void Connect() override {
    curl_ = curl_easy_init();
    const std::string name = fmt::format("{}/dev-{}", options_.folder, device_);
    // Without "Expect: 100-continue", which would cost a round trip a clip.
    headers_ = curl_slist_append(nullptr, "Expect:");
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(curl_, CURLOPT_CAINFO, (options_.folder + "/ca.pem").c_str());
    curl_easy_setopt(curl_, CURLOPT_SSLCERT, (name + ".pem").c_str());
    curl_easy_setopt(curl_, CURLOPT_SSLKEY, (name + ".key").c_str());
    curl_easy_setopt(curl_, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_3);
    curl_easy_setopt(curl_, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl_, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &Ignore);
    // A first small file brings the handshake off the clock.
    Put(fmt::format("hello-{}-{}", options_.round, device_), 1);
  }

  void Send() override {
    for (int clip = 0; clip < options_.clips; ++clip) {
      const std::string path = fmt::format("{}/{}/{}", options_.round, device_, clip);
      Put(path, kClipBytes);
      const double before = ThreadCpuSeconds();
      VerifyAndSync(options_.folder + "/www/" + path);
      servers_cpu_ += ThreadCpuSeconds() - before;
    }
  }
  double ServersCpuSeconds() const override { return servers_cpu_; }

 private:
  struct Body {
    size_t at = 0;
    size_t size = 0;
  };

  static size_t Ignore(char*, size_t size, size_t count, void*) { return size * count; }
  static size_t Read(char* buffer, size_t size, size_t count, void* user) {
    Body& body = *static_cast<Body*>(user);
    const size_t take = std::min(size * count, body.size - body.at);
    std::memcpy(buffer, Payload().data() + body.at, take);
    body.at += take;
    return take;
  }

  void Put(const std::string& path, size_t size) {
    Body body{.size = size};
    const std::string url = fmt::format("https://{}/{}", options_.address, path);
    curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl_, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl_, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(size));
    curl_easy_setopt(curl_, CURLOPT_READFUNCTION, &Read);
    curl_easy_setopt(curl_, CURLOPT_READDATA, &body);
    const CURLcode result = curl_easy_perform(curl_);
    long status = 0;  // NOLINT(google-runtime-int): curl's
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK || status / 100 != 2) {
      throw std::runtime_error(
          fmt::format("PUT {}: {}, HTTP status {}", url, curl_easy_strerror(result), status));
    }
  }

  void VerifyAndSync(const std::string& path) {
    const auto file = OpenFile(path, O_RDWR);
    if (!file.ok()) throw std::runtime_error(file.status().ToString());
    Sha256 hash;
    for (size_t at = 0; at < kClipBytes; at += buffer_.size()) {
      const absl::Status read = ReadAt(file->get(), buffer_.data(), buffer_.size(), at);
      if (!read.ok()) throw std::runtime_error(read.ToString());
      hash.Update(buffer_);
    }
    static const Sha256Digest expected = Sha256::Of(Payload());
    if (hash.Finish() != expected) throw std::runtime_error(path + " has another SHA-256");
    if (::fdatasync(file->get()) != 0 || !SyncDirectory(path.substr(0, path.rfind('/'))).ok()) {
      throw std::runtime_error("can't sync " + path);
    }
  }

  const ClientOptions options_;
  const int device_;
  std::string buffer_ = std::string(256 << 10, '\0');
  double servers_cpu_ = 0;
  CURL* curl_ = nullptr;
  curl_slist* headers_ = nullptr;
};

}  // namespace

std::unique_ptr<Client> NewPutClient(const ClientOptions& options, int device) {
  return std::make_unique<PutClient>(options, device);
}

}  // namespace gleaner::bench
