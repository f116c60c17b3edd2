#include "tests/data/test_bucket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <stdexcept>

#include "common/clock.h"
#include "common/digest.h"
#include "common/file.h"
#include "tests/data/paths.h"
#include "tests/data/temporary_folder.h"

namespace gleaner {
namespace {

// Where it listens, for processes that the first one starts.
constexpr const char* kVariable = "GLEANER_TEST_S3";

// Free a moment ago, and from below the range that the system gives out by itself.
int FreePort() {
  for (int port = 20'000 + ::getpid() % 10'000;; port = port < 32'000 ? port + 1 : 20'000) {
    const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return port;
  }
}

class Radosgw {
 public:
  Radosgw() {
    const int port = FreePort(), monitor = FreePort() == port ? port + 1 : FreePort();
    endpoint_ = fmt::format("http://127.0.0.1:{}", port);
    std::array<int, 2> in{}, out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) {
      throw std::runtime_error("pipe2");
    }
    const std::string script = SourceDir() + "/tests/data/radosgw.sh";
    const std::string s3_port = std::to_string(port), monitor_port = std::to_string(monitor);
    script_ = ::fork();
    if (script_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      ::execl(script.c_str(), "radosgw.sh", folder_.path().c_str(), s3_port.c_str(),
              monitor_port.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    lives_ = Fd(in[1]);
    const Fd says(out[0]);
    char byte = 0;
    while (byte != '\n') {
      if (::read(says.get(), &byte, 1) != 1) {
        throw std::runtime_error("radosgw did not start: see " + folder_ / "log");
      }
    }
  }
  ~Radosgw() {
    lives_.Reset();
    ::waitpid(script_, nullptr, 0);
  }
  const std::string& endpoint() const { return endpoint_; }

 private:
  TemporaryFolder folder_;
  std::string endpoint_;
  pid_t script_ = -1;
  Fd lives_;
};

std::string Endpoint() {
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (const char* known = ::getenv(kVariable); known != nullptr) return known;
  static const Radosgw store;
  ::setenv(kVariable, store.endpoint().c_str(), 1);
  return store.endpoint();
}

}  // namespace

bool HasRadosgw() {
  for (const char* program : {"radosgw", "radosgw-admin", "ceph-mon", "ceph-osd"}) {
    if (::access(fmt::format("/usr/bin/{}", program).c_str(), X_OK) != 0) return false;
  }
  return true;
}

cloud::s3::BucketOptions TestBucket(const std::string& name) {
  if (!HasRadosgw()) throw std::runtime_error(kNoRadosgw);
  cloud::s3::BucketOptions options{
      .endpoint = Endpoint(),
      .bucket = "b" + Hex(AsBytes(Sha256::Of(name))).substr(0, 16),
      .prefix = "fleet/north",
      .credentials = {.access_key = "gleaner", .secret_key = "gleaner-secret"}};
  cloud::s3::Client client(options, RealClock());
  const cloud::s3::Body none = cloud::s3::Body::Of("");
  const auto made = client.Send({.method = "PUT", .body = &none});
  if (!made.ok()) throw std::runtime_error(made.status().ToString());
  return options;
}

}  // namespace gleaner
