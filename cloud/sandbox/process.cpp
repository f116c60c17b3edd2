#include "cloud/sandbox/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// glibc 2.36 forgets to say that this is C.
extern "C" {
#include <sys/pidfd.h>
}

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "common/clock.h"
#include "common/status.h"

namespace gleaner::cloud::sandbox {
namespace {

using std::chrono::steady_clock;

constexpr int64_t kWallFactor = 10;
constexpr size_t kMaxTextBytes = 300;

// How a worker ended.
struct Ending {
  int status = 0;  // as wait4 says it
  int64_t cpu_ns = 0;
};

int64_t ToNs(const timeval& time) {
  return time.tv_sec * kNanosPerSecond + time.tv_usec * int64_t{1000};
}

// A running worker; killed and reaped when this goes.
class Child {
 public:
  Child(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}
  ~Child() {
    if (pid_ > 0) End();
  }
  int pidfd() const { return pidfd_.get(); }
  // Kills it if it still runs, with its process group.
  void End() {
    ::kill(-pid_, SIGKILL);
    Reap();
  }
  // For a worker that has ended.
  Ending Reap() {
    int status = 0;
    rusage used{};
    while (::wait4(pid_, &status, 0, &used) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return {status, ToNs(used.ru_utime) + ToNs(used.ru_stime)};
  }

 private:
  pid_t pid_;
  Fd pidfd_;
};

absl::StatusOr<Child> Spawn(const Command& command, int answer_fd) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, command.input_fd, kInputFd);
  posix_spawn_file_actions_adddup2(&files, answer_fd, kAnswerFd);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&files, command.request.get(), kRequestFd);
  posix_spawn_file_actions_addclosefrom_np(&files, kRequestFd + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // What asks the server to end, and may be sent to all of its processes or to the terminal's, is
  // the server's to act on: it kills its workers itself. A group of its own, so that it kills all
  // of one.
  sigset_t asked_to_end;
  sigemptyset(&asked_to_end);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&asked_to_end, signal);
  posix_spawnattr_setsigmask(&attributes, &asked_to_end);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  char* const argv[] = {const_cast<char*>(command.program.c_str()), nullptr};
  std::vector<char*> environment;
  for (const std::string& one : command.environment) {
    environment.push_back(const_cast<char*>(one.c_str()));
  }
  environment.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, argv[0], &files, &attributes, argv, environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) {
    return absl::UnavailableError(fmt::format("{} can't be started: {}: {}", command.called,
                                              command.program, strerrordesc_np(error)));
  }
  Child child(pid, Fd(::pidfd_open(pid, 0)));
  if (child.pidfd() < 0) return absl::UnavailableError("pidfd_open failed");
  return child;
}

// By somebody else: most likely the kernel, when the machine's memory is short. The kernel also
// kills a worker that has used up its processor time; it measures that a little differently from
// what it reports.
bool KilledFromOutside(const Ending& ending, uint32_t cpu_seconds) {
  if (!WIFSIGNALED(ending.status)) return false;
  return WTERMSIG(ending.status) == SIGKILL &&
         ending.cpu_ns < cpu_seconds * kNanosPerSecond / 10 * 9;
}

// How a worker ended without a proper answer.
Outcome HowItEnded(const Command& command, int status) {
  const auto stopped = [](bool used_up, std::string how) {
    return Outcome{
        .said = {}, .end = Outcome::End::kStopped, .used_up = used_up, .how = std::move(how)};
  };
  switch (WTERMSIG(status)) {
    case SIGSYS:
      return stopped(false,
                     fmt::format("{} tried something that its sandbox forbids and was stopped",
                                 command.worker));
    case SIGKILL:
    case SIGXCPU:
      return stopped(true, fmt::format("{} used more CPU time than {} may cost and was stopped",
                                       command.worker, command.payer));
    default:
      return stopped(
          false, fmt::format("{} crashed (SIG{})", command.worker, sigabbrev_np(WTERMSIG(status))));
  }
}

}  // namespace

absl::StatusOr<Outcome> Run(const Command& command, const std::stop_token& stop) {
  const int64_t wall_ns = kWallFactor * command.cpu_ns;
  const auto deadline = steady_clock::now() + std::chrono::nanoseconds(wall_ns);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
  const Fd answer_end(ends[0]);
  Fd worker_end(ends[1]);
  const Fd stopped(::eventfd(0, EFD_CLOEXEC));
  ASSIGN_OR_RETURN(Child child, Spawn(command, worker_end.get()));
  worker_end.Reset();
  const std::stop_callback on_stop(stop, [&stopped] {
    const uint64_t one = 1;
    (void)!::write(stopped.get(), &one, sizeof(one));
  });

  // Until it has closed its answer and ended, or the time is over.
  Outcome outcome;
  std::string& answer = outcome.said;
  bool open = true;
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
    pollfd items[] = {{stopped.get(), POLLIN, 0},
                      {open ? answer_end.get() : -1, POLLIN, 0},
                      {open ? -1 : child.pidfd(), POLLIN, 0}};
    const int ready = left <= 0 ? 0 : ::poll(items, 3, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      child.End();
      outcome.end = Outcome::End::kStopped;
      outcome.too_late = true;
      outcome.how = fmt::format("{} took longer than {} s and was stopped", command.doing,
                                wall_ns / kNanosPerSecond);
      return outcome;
    }
    if (items[0].revents != 0) {
      child.End();
      return absl::CancelledError("the server is stopping");
    }
    if (!open) break;
    const size_t before = answer.size();
    answer.resize(before + (64 << 10));
    const ssize_t got = ::read(answer_end.get(), answer.data() + before, answer.size() - before);
    answer.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (command.listen) {
      const absl::Status heard = got > 0 ? command.listen(answer) : absl::OkStatus();
      answer.clear();
      if (!heard.ok()) {
        child.End();
        outcome.end = Outcome::End::kStopped;
        outcome.how = Message(heard);
        return outcome;
      }
    }
    if (answer.size() > command.max_answer_bytes) {
      child.End();
      outcome.end = Outcome::End::kStopped;
      outcome.how = "the worker's answer makes no sense: it has no end";
      return outcome;
    }
    open = got > 0 || (got < 0 && errno == EINTR);
  }
  const Ending ending = child.Reap();
  const int status = ending.status;
  if (KilledFromOutside(ending, CpuSeconds(command.cpu_ns))) {
    if (stop.stop_requested()) return absl::CancelledError("the server is stopping");
    return absl::AbortedError(fmt::format("{} was killed from outside (SIG{})", command.worker,
                                          sigabbrev_np(WTERMSIG(status))));
  }
  if (WIFSIGNALED(status)) return HowItEnded(command, status);
  if (WEXITSTATUS(status) != 0) {
    outcome.end = Outcome::End::kEarly;
    outcome.how =
        fmt::format("{} ended early (exit status {})", command.worker, WEXITSTATUS(status));
  }
  return outcome;
}

absl::StatusOr<Fd> MakeRequest(const std::vector<std::string_view>& parts) {
  Fd memory(::memfd_create("request", MFD_CLOEXEC));
  if (!memory.valid()) return ErrnoStatus(errno, "memfd_create");
  uint64_t at = 0;
  for (const std::string_view part : parts) {
    RETURN_IF_ERROR(WriteAt(memory.get(), part.data(), part.size(), at));
    at += part.size();
  }
  return memory;
}

uint32_t CpuSeconds(int64_t cpu_ns) {
  return static_cast<uint32_t>((cpu_ns - 1) / kNanosPerSecond + 1);
}

std::string PlainText(std::string_view text) {
  std::string plain;
  for (const char c : text.substr(0, kMaxTextBytes)) {
    plain += c >= ' ' && c <= '~' ? c : '?';
  }
  return plain;
}

bool NextPiece(std::string_view& bytes, Piece* piece) {
  PieceHead head;
  if (bytes.size() < sizeof(head)) return false;
  std::memcpy(&head, bytes.data(), sizeof(head));
  bytes.remove_prefix(sizeof(head));
  if (head.bytes > bytes.size()) return false;
  *piece = {head.kind, bytes.substr(0, head.bytes)};
  bytes.remove_prefix(head.bytes);
  return true;
}

}  // namespace gleaner::cloud::sandbox
