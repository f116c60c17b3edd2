#include "cloud/sandbox/inside/sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>

#include "cloud/sandbox/descriptors.h"
#include "common/status.h"

namespace gleaner::cloud::sandbox {
namespace {

constexpr uid_t kNobody = 65534;
// Beside the heap; the libraries alone map some 400 MiB.
constexpr rlim_t kOtherMappingsBytes = rlim_t{1280} << 20;

// Sanitizers reserve terabytes of address space and need more calls than decoding does.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

absl::Status Limit(int resource, rlim_t value, const char* name) {
  const rlimit limit{value, value};
  return ::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) == 0
             ? absl::OkStatus()
             : ErrnoStatus(errno, fmt::format("setrlimit {}", name));
}

absl::Status LimitResources(const SandboxLimits& limits) {
  RETURN_IF_ERROR(Limit(RLIMIT_CPU, limits.cpu_seconds, "CPU"));
  RETURN_IF_ERROR(Limit(RLIMIT_CORE, 0, "CORE"));
  RETURN_IF_ERROR(Limit(RLIMIT_FSIZE, 0, "FSIZE"));
  RETURN_IF_ERROR(Limit(RLIMIT_NPROC, 0, "NPROC"));
  RETURN_IF_ERROR(Limit(RLIMIT_MEMLOCK, 0, "MEMLOCK"));
  RETURN_IF_ERROR(Limit(RLIMIT_MSGQUEUE, 0, "MSGQUEUE"));
  if (!kSanitized) {
    RETURN_IF_ERROR(Limit(RLIMIT_DATA, limits.heap_bytes, "DATA"));
    RETURN_IF_ERROR(Limit(RLIMIT_AS, limits.heap_bytes + kOtherMappingsBytes, "AS"));
  }
  return Limit(RLIMIT_NOFILE, kSanitized ? 16 : 0, "NOFILE");
}

absl::Status DropPrivileges() {
  if (::geteuid() == 0) {
    // A container may run as a root that can't change its user: then there is less to drop.
    const bool dropped = ::setgroups(0, nullptr) == 0 &&
                         ::setresgid(kNobody, kNobody, kNobody) == 0 &&
                         ::setresuid(kNobody, kNobody, kNobody) == 0;
    if (!dropped && errno != EPERM && errno != EINVAL) return ErrnoStatus(errno, "become nobody");
  }
  // May be refused, by a container's policy or the system's; seccomp below forbids all that these
  // would hide.
  (void)::unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWUTS);
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return ErrnoStatus(errno, "prctl");
  }
  return absl::OkStatus();
}

absl::Status FilterSystemCalls() {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(
      seccomp_init(SCMP_ACT_KILL_PROCESS), seccomp_release);
  if (filter == nullptr) return absl::InternalError("seccomp_init failed");
  int error = 0;
  const auto allow = [&](int call, auto... conditions) {
    if (error == 0) {
      error = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, sizeof...(conditions),
                               conditions...);
    }
  };
  // The input, the answer, messages to nobody.
  for (const int call : {SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(lseek)}) {
    allow(call, SCMP_A0(SCMP_CMP_EQ, kInputFd));
  }
  allow(SCMP_SYS(write), SCMP_A0(SCMP_CMP_EQ, kAnswerFd));
  allow(SCMP_SYS(write), SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO));
  // Memory, never executable.
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    allow(call, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  }
  for (const int call : {SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise)}) {
    allow(call);
  }
  // Time, locks, chance.
  for (const int call : {SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(futex),
                         SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(getrandom)}) {
    allow(call);
  }
  // The end, abort() included: it signals this process alone.
  for (const int call : {SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
                         SCMP_SYS(rt_sigprocmask), SCMP_SYS(getpid), SCMP_SYS(gettid)}) {
    allow(call);
  }
  allow(SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid())));
  if (kSanitized) {
    for (const int call :
         {SCMP_SYS(sigaltstack), SCMP_SYS(rt_sigaction), SCMP_SYS(nanosleep),
          SCMP_SYS(clock_nanosleep), SCMP_SYS(prctl), SCMP_SYS(pipe2), SCMP_SYS(close)}) {
      allow(call);
    }
    // UBSan finds out whether memory can be read by writing it to a pipe of its own.
    allow(SCMP_SYS(write), SCMP_A0(SCMP_CMP_GE, kRequestFd));
    allow(SCMP_SYS(read), SCMP_A0(SCMP_CMP_GE, kRequestFd));
  }
  if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  if (error == 0) error = seccomp_load(filter.get());
  return error == 0 ? absl::OkStatus() : ErrnoStatus(-error, "seccomp");
}

// What a child did in the sandbox.
enum class End { kKilled, kOutOfTime, kCameBack, kNoSandbox };

template <typename Deed>
End Try(Deed deed, uint32_t cpu_seconds = 10) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!EnterSandbox({.cpu_seconds = cpu_seconds}).ok()) _exit(2);
    deed();
    _exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) return End::kKilled;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return End::kOutOfTime;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? End::kCameBack : End::kNoSandbox;
}

// The first conversion of a time of day, as a file's creation time asks for, reads /etc/localtime.
absl::Status FixTimeZone() {
  if (::setenv("TZ", "UTC0", 1) != 0) return ErrnoStatus(errno, "setenv TZ");
  ::tzset();
  return absl::OkStatus();
}

}  // namespace

absl::Status EnterSandbox(const SandboxLimits& limits) {
  if (::close_range(kRequestFd, ~0u, 0) != 0) return ErrnoStatus(errno, "close_range");
  RETURN_IF_ERROR(FixTimeZone());
  RETURN_IF_ERROR(DropPrivileges());
  RETURN_IF_ERROR(LimitResources(limits));
  return FilterSystemCalls();
}

bool TestSandbox() {
  bool held = true;
  const auto report = [&held](const char* deed, End end, End wanted) {
    held &= end == wanted;
    static constexpr const char* kEnds[] = {"killed", "out of time", "came back", "no sandbox"};
    fmt::print("{:<28} {:<12} {}\n", deed, kEnds[static_cast<int>(end)],
               end == wanted ? "as it should" : "WRONG");
    std::fflush(stdout);
  };
  report("the time of day", Try([] {
           const time_t now = 1'700'000'000;
           tm parts{};
           if (::gmtime_r(&now, &parts) == nullptr || ::localtime_r(&now, &parts) == nullptr) {
             _exit(3);
           }
         }),
         End::kCameBack);
  report("compute and allocate", Try([] {
           auto* memory = static_cast<volatile char*>(std::malloc(8 << 20));
           if (memory != nullptr) memory[4 << 20] = 1;
           std::free(const_cast<char*>(memory));
         }),
         End::kCameBack);
  report("a gigabyte refused", Try([] {
           if (!kSanitized && std::malloc(size_t{1} << 30) != nullptr) _exit(3);
         }),
         End::kCameBack);
  report("compute without end",
         Try(
             [] {
               for (volatile bool more = true; more;) {
               }
             },
             1),
         End::kOutOfTime);
  report("open a file", Try([] { ::open("/etc/hostname", O_RDONLY); }), End::kKilled);
  report("create a file", Try([] { ::open("/tmp/x", O_CREAT | O_WRONLY, 0600); }), End::kKilled);
  report("internet socket", Try([] { ::socket(AF_INET, SOCK_STREAM, 0); }), End::kKilled);
  report("local socket", Try([] { ::socket(AF_UNIX, SOCK_STREAM, 0); }), End::kKilled);
  report("run a program", Try([] { ::execl("/bin/true", "true", nullptr); }), End::kKilled);
  report("make a process", Try([] { (void)!::fork(); }), End::kKilled);
  report("signal the parent", Try([] { ::kill(::getppid(), 0); }), End::kKilled);
  report("executable memory", Try([] {
           (void)::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         }),
         End::kKilled);
  report("write to the input", Try([] { (void)!::write(kInputFd, "x", 1); }), End::kKilled);
  return held;
}

bool WritePiece(uint32_t kind, std::string_view payload) {
  const PieceHead head{kind, static_cast<uint32_t>(payload.size())};
  std::string piece(reinterpret_cast<const char*>(&head), sizeof(head));
  piece.append(payload);
  size_t done = 0;
  while (done < piece.size()) {
    const ssize_t wrote = ::write(kAnswerFd, piece.data() + done, piece.size() - done);
    if (wrote < 0 && errno != EINTR) return false;
    if (wrote > 0) done += static_cast<size_t>(wrote);
  }
  return true;
}

}  // namespace gleaner::cloud::sandbox
