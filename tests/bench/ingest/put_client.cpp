#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <stdexcept>

#include "common/digest.h"
#include "common/file.h"
#include "tests/bench/ingest/clients.h"
#include "tests/bench/ingest/curl_put.h"

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

  void Connect() override {
    const std::string name = fmt::format("{}/dev-{}", options_.folder, device_);
    CURL* const curl = put_.handle();
    curl_easy_setopt(curl, CURLOPT_CAINFO, (options_.folder + "/ca.pem").c_str());
    curl_easy_setopt(curl, CURLOPT_SSLCERT, (name + ".pem").c_str());
    curl_easy_setopt(curl, CURLOPT_SSLKEY, (name + ".key").c_str());
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_3);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
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
  void Put(const std::string& path, size_t size) {
    put_.Put(fmt::format("https://{}/{}", options_.address, path), size);
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
  // Without "Expect: 100-continue", which would cost a round trip a clip.
  CurlPut put_{"Expect:"};
};

}  // namespace

std::unique_ptr<Client> NewPutClient(const ClientOptions& options, int device) {
  return std::make_unique<PutClient>(options, device);
}

}  // namespace gleaner::bench
