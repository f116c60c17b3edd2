#include "tests/e2e/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

namespace gleaner::e2e {
namespace {

// In the child, between fork and exec.
[[noreturn]] void Become(const std::vector<std::string>& argv, int output,
                         const Process::Environment& extra) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  for (const auto& [name, value] : extra) ::setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> arguments;
  for (const std::string& argument : argv) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  std::fprintf(stderr, "exec %s: %s\n", arguments[0], std::strerror(errno));
  ::_exit(127);
}

int ExitStatus(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Process::Process(std::vector<std::string> argv, std::string log, const Environment& extra)
    : log_(std::move(log)) {
  const int output = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (output < 0) {
    std::perror(log_.c_str());
    std::abort();
  }
  pid_ = ::fork();
  if (pid_ == 0) Become(argv, output, extra);
  ::setpgid(pid_, pid_);  // whichever of the two comes first
  ::close(output);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), status_(other.status_), log_(std::move(other.log_)) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    Kill();
    pid_ = std::exchange(other.pid_, -1);
    status_ = other.status_;
    log_ = std::move(other.log_);
  }
  return *this;
}

Process::~Process() { Kill(); }

bool Process::Reap(bool block) {
  if (pid_ < 0) return true;
  const pid_t ended = ::waitpid(pid_, &status_, block ? 0 : WNOHANG);
  if (ended != pid_) return false;
  pid_ = -1;
  return true;
}

bool Process::running() { return !Reap(false); }

void Process::Kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  Reap(true);
}

void Process::Signal(int number) const {
  if (pid_ >= 0) ::kill(pid_, number);
}

void Process::SignalGroup(int number) const {
  if (pid_ >= 0) ::kill(-pid_, number);
}

int Process::Stop(std::chrono::milliseconds deadline) {
  if (pid_ >= 0) ::kill(pid_, SIGTERM);
  return Wait(deadline);
}

int Process::Wait(std::chrono::milliseconds deadline) {
  if (Eventually([&] { return Reap(false); }, deadline)) return ExitStatus(status_);
  Kill();
  return -1;
}

uint64_t Process::StatusBytes(const std::string& name) const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) return std::stoull(line.substr(name.size())) << 10;
  }
  ADD_FAILURE() << "no " << name;
  return 0;
}

// proc(5), clear_refs.
void Process::ForgetPeak() { std::ofstream("/proc/" + std::to_string(pid_) + "/clear_refs") << 5; }

std::string Process::Log() const {
  std::ifstream in(log_);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string Run(const std::vector<std::string>& argv, int expected) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    std::vector<char*> arguments;
    for (const std::string& argument : argv) {
      arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string output;
  char buffer[4096];
  for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) != 0;) {
    if (n > 0) output.append(buffer, static_cast<size_t>(n));
    if (n < 0 && errno != EINTR) break;
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(ExitStatus(status), expected) << argv[0] << " printed: " << output;
  return output;
}

}  // namespace gleaner::e2e
