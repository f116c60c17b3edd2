#include "tests/data/radosgw.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <utility>

#include "tests/data/free_port.h"
#include "tests/data/paths.h"

namespace gleaner {
bool HasRadosgw() {
  for (const char* program : {"radosgw", "radosgw-admin", "ceph-mon", "ceph-osd"}) {
    if (::access(fmt::format("/usr/bin/{}", program).c_str(), X_OK) != 0) return false;
  }
  return true;
}

Radosgw::Radosgw(const std::string& folder, KeptIn kept_in) : folder_(folder) {
  const int port = FreeServerPort(), monitor = FreeServerPort();
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
    ::execl(script.c_str(), "radosgw.sh", folder_.c_str(), s3_port.c_str(), monitor_port.c_str(),
            kept_in == KeptIn::kDisk ? "disk" : "memory", nullptr);
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  to_ = Fd(in[1]);
  from_ = Fd(out[0]);
  UntilStarted();
}

Radosgw::~Radosgw() {
  to_.Reset();
  ::waitpid(script_, nullptr, 0);
}

void Radosgw::Kill() {
  UntilStarted();
  Tell("kill\n");
  WaitForLine();
}

void Radosgw::BeginStart() {
  Tell("start\n");
  starting_ = true;
}

void Radosgw::UntilStarted() {
  if (std::exchange(starting_, false)) WaitForLine();
}

void Radosgw::Tell(const std::string& word) {
  if (::write(to_.get(), word.data(), word.size()) != static_cast<ssize_t>(word.size())) {
    throw std::runtime_error("radosgw's script is gone: see " + folder_ + "/log");
  }
}

void Radosgw::WaitForLine() {
  char byte = 0;
  while (byte != '\n') {
    if (::read(from_.get(), &byte, 1) != 1) {
      throw std::runtime_error("radosgw did not start: see " + folder_ + "/log");
    }
  }
}

}  // namespace gleaner
