#include "tests/bench/ingest/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

namespace gleaner::bench {
namespace {

double CpuOf(pid_t pid) {
  clockid_t clock;
  timespec used;
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace

Process::Process(const std::vector<std::string>& command) : name_(command[0]) {
  int to[2], from[2];
  if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0) {
    throw std::runtime_error("pipe");
  }
  std::vector<char*> arguments;
  for (const std::string& part : command) arguments.push_back(const_cast<char*>(part.c_str()));
  arguments.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(to[0], STDIN_FILENO);
    ::dup2(from[1], STDOUT_FILENO);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(to[0]);
  ::close(from[1]);
  in_ = ::fdopen(to[1], "w");
  out_ = ::fdopen(from[0], "r");
}

Process::~Process() {
  ::fclose(in_);
  ::fclose(out_);
  // nginx ends its workers on SIGTERM only.
  ::kill(pid_, SIGTERM);
  for (int i = 0; i < 200 && ::waitpid(pid_, nullptr, WNOHANG) == 0; ++i) ::usleep(10'000);
  if (::kill(pid_, SIGKILL) == 0) ::waitpid(pid_, nullptr, 0);
}

std::string Process::ReadLine() {
  std::string line;
  for (int c = ::fgetc(out_); c != '\n'; c = ::fgetc(out_)) {
    if (c == EOF) throw std::runtime_error(fmt::format("{} ended unexpectedly", name_));
    line += static_cast<char>(c);
  }
  return line;
}

void Process::WriteLine(const std::string& line) {
  ::fprintf(in_, "%s\n", line.c_str());
  ::fflush(in_);
}

double Process::CpuSeconds() const {
  double sum = CpuOf(pid_);
  std::ifstream children(fmt::format("/proc/{}/task/{}/children", pid_, pid_));
  for (pid_t child = 0; children >> child;) sum += CpuOf(child);
  return sum;
}

}  // namespace gleaner::bench
