#include "cloud/media/worker_process.h"

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
#include <string>
#include <utility>
#include <vector>

#include "cloud/media/worker_protocol.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud::media {
namespace {

using std::chrono::steady_clock;

constexpr int64_t kWallFactor = 10;

uint32_t CpuSeconds(int64_t cpu_ns) {
  return static_cast<uint32_t>((cpu_ns - 1) / kNanosPerSecond + 1);
}

// The request in memory: a file that is nowhere, which the worker reads without anyone writing at
// the same time.
absl::StatusOr<Fd> MakeRequest(Task task, const Question& question, int64_t cpu_ns) {
  const std::string text = question.track.SerializeAsString();
  std::vector<int64_t> times;
  for (const PlannedFrame& frame : question.frames.frames) times.push_back(frame.pts);
  const RequestHead head{.magic = kRequestMagic,
                         .task = task,
                         .thumbnails = static_cast<uint32_t>(question.thumbnails),
                         .cpu_seconds = CpuSeconds(cpu_ns),
                         .track_bytes = static_cast<uint32_t>(text.size()),
                         .frames = static_cast<uint32_t>(times.size()),
                         .keyframes = question.frames.keyframes,
                         .reserved = 0,
                         .gap_ticks = question.frames.gap_ticks};
  Fd memory(::memfd_create("request", MFD_CLOEXEC));
  if (!memory.valid()) return ErrnoStatus(errno, "memfd_create");
  RETURN_IF_ERROR(WriteAt(memory.get(), &head, sizeof(head), 0));
  RETURN_IF_ERROR(WriteAt(memory.get(), text.data(), text.size(), sizeof(head)));
  RETURN_IF_ERROR(WriteAt(memory.get(), times.data(), times.size() * sizeof(int64_t),
                          sizeof(head) + text.size()));
  return memory;
}

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

absl::StatusOr<Child> Spawn(const std::string& program, int video_fd, int request_fd,
                            int answer_fd) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, video_fd, kVideoFd);
  posix_spawn_file_actions_adddup2(&files, answer_fd, kAnswerFd);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&files, request_fd, kRequestFd);
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
  char* const argv[] = {const_cast<char*>(program.c_str()), nullptr};
  char* const no_environment[] = {nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, program.c_str(), &files, &attributes, argv, no_environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) {
    return absl::UnavailableError(
        fmt::format("the media worker can't be started: {}: {}", program, strerrordesc_np(error)));
  }
  Child child(pid, Fd(::pidfd_open(pid, 0)));
  if (child.pidfd() < 0) return absl::UnavailableError("pidfd_open failed");
  return child;
}

WorkerAnswer Died(std::string problem) {
  return Failed(v1::MediaCheck::REASON_WORKER_DIED, std::move(problem));
}

WorkerAnswer TooLarge(std::string problem) {
  return Failed(v1::MediaCheck::REASON_TOO_LARGE, std::move(problem));
}

// By somebody else: most likely the kernel, when the machine's memory is short. The kernel also
// kills a worker that has used up its processor time; it measures that a little differently from
// what it reports.
bool KilledFromOutside(const Ending& ending, uint32_t cpu_seconds) {
  if (!WIFSIGNALED(ending.status)) return false;
  return WTERMSIG(ending.status) == SIGKILL &&
         ending.cpu_ns < cpu_seconds * kNanosPerSecond / 10 * 9;
}

// What became of a run: how it ended, or that it was ended.
struct Outcome {
  int status = 0;
  absl::Status was_ended;  // why; then nothing it said counts
};

// Is given what a worker says, as it comes; an error ends the worker.
using Listener = std::function<absl::Status(std::string_view piece)>;

// For an answer that is short enough to be held.
Listener HoldUpTo(size_t bytes, std::string* said) {
  return [bytes, said](std::string_view piece) -> absl::Status {
    if (said->size() + piece.size() > bytes) {
      return absl::InvalidArgumentError("the worker's answer makes no sense: it has no end");
    }
    said->append(piece);
    return absl::OkStatus();
  };
}

// The verdict on a clip whose worker ended without a proper answer.
WorkerAnswer HowItEnded(int status) {
  if (!WIFSIGNALED(status)) {
    return Died(fmt::format("the decoder ended early (exit status {})", WEXITSTATUS(status)));
  }
  switch (WTERMSIG(status)) {
    case SIGSYS:
      return Died("the decoder tried something that its sandbox forbids and was stopped");
    case SIGKILL:
    case SIGXCPU:
      return TooLarge("the decoder used more CPU time than a clip may cost and was stopped");
    default:
      return Died(fmt::format("the decoder crashed (SIG{})", sigabbrev_np(WTERMSIG(status))));
  }
}

absl::StatusOr<Outcome> Run(const std::string& program, int video_fd, const Fd& request,
                            const Listener& listen, int64_t cpu_ns, const std::stop_token& stop) {
  const int64_t wall_ns = kWallFactor * cpu_ns;
  const auto deadline = steady_clock::now() + std::chrono::nanoseconds(wall_ns);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
  const Fd answer_end(ends[0]);
  Fd worker_end(ends[1]);
  const Fd stopped(::eventfd(0, EFD_CLOEXEC));
  ASSIGN_OR_RETURN(Child child, Spawn(program, video_fd, request.get(), worker_end.get()));
  worker_end.Reset();
  const std::stop_callback on_stop(stop, [&stopped] {
    const uint64_t one = 1;
    (void)!::write(stopped.get(), &one, sizeof(one));
  });

  // Until it has closed its answer and ended, or the time is over.
  Outcome outcome;
  std::string piece(64 << 10, '\0');
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
      outcome.was_ended = absl::DeadlineExceededError(
          fmt::format("decoding took longer than {} s and was stopped", wall_ns / kNanosPerSecond));
      return outcome;
    }
    if (items[0].revents != 0) {
      child.End();
      return absl::CancelledError("the server is stopping");
    }
    if (!open) break;
    const ssize_t got = ::read(answer_end.get(), piece.data(), piece.size());
    if (got > 0)
      outcome.was_ended = listen(std::string_view(piece).substr(0, static_cast<size_t>(got)));
    if (!outcome.was_ended.ok()) {
      child.End();
      return outcome;
    }
    open = got > 0 || (got < 0 && errno == EINTR);
  }
  const Ending ending = child.Reap();
  outcome.status = ending.status;
  if (KilledFromOutside(ending, CpuSeconds(cpu_ns))) {
    if (stop.stop_requested()) return absl::CancelledError("the server is stopping");
    return absl::AbortedError(fmt::format("the decoder was killed from outside (SIG{})",
                                          sigabbrev_np(WTERMSIG(ending.status))));
  }
  return outcome;
}

}  // namespace

absl::StatusOr<WorkerAnswer> RunWorker(const std::string& program, int video_fd,
                                       const Question& question, int64_t cpu_ns,
                                       const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const Fd request, MakeRequest(Task::kCheck, question, cpu_ns));
  std::string said;
  ASSIGN_OR_RETURN(
      const Outcome outcome,
      Run(program, video_fd, request, HoldUpTo(MaxAnswerBytes(question), &said), cpu_ns, stop));
  if (!outcome.was_ended.ok()) return Died(std::string(Message(outcome.was_ended)));
  if (WIFSIGNALED(outcome.status)) return HowItEnded(outcome.status);
  auto parsed = ParseAnswer(said, question);
  if (parsed.ok() && WEXITSTATUS(outcome.status) == 0) return parsed;
  if (absl::IsUnavailable(parsed.status())) return parsed.status();
  if (WEXITSTATUS(outcome.status) != 0) return HowItEnded(outcome.status);
  return Died(std::string(Message(parsed.status())));
}

absl::StatusOr<std::string> RunForPicture(const std::string& program, int video_fd,
                                          const v1::VideoTrack& track, int64_t pts, int64_t cpu_ns,
                                          const std::stop_token& stop) {
  const Question question{.track = track, .frames = {.frames = {{.pts = pts}}}};
  ASSIGN_OR_RETURN(const Fd request, MakeRequest(Task::kPicture, question, cpu_ns));
  std::string said;
  ASSIGN_OR_RETURN(const Outcome outcome,
                   Run(program, video_fd, request,
                       HoldUpTo(sizeof(FrameHead) + kMaxPictureBytes, &said), cpu_ns, stop));
  const auto no_picture = [](std::string_view why) {
    return absl::FailedPreconditionError(fmt::format("the picture can't be had: {}", why));
  };
  if (!outcome.was_ended.ok()) return no_picture(Message(outcome.was_ended));
  auto picture = ParsePicture(said, track);
  const bool ended_well = WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == 0;
  if (picture.ok() && ended_well) return picture;
  if (absl::IsUnavailable(picture.status())) return picture.status();
  if (!ended_well) return no_picture(HowItEnded(outcome.status).verdict.problem());
  return no_picture(Message(picture.status()));
}

absl::Status RunForPackets(const std::string& program, int video_fd, const v1::VideoTrack& track,
                           uint64_t video_bytes, int64_t cpu_ns, const std::stop_token& stop,
                           const std::function<absl::Status(const Packet&)>& each) {
  const Question question{.track = track};
  ASSIGN_OR_RETURN(const Fd request, MakeRequest(Task::kPackets, question, cpu_ns));
  absl::Status refused;  // by `each`
  PacketReader packets(track, video_bytes, [&](const Packet& packet) {
    refused = each(packet);
    return refused;
  });
  ASSIGN_OR_RETURN(const Outcome outcome,
                   Run(
                       program, video_fd, request,
                       [&](std::string_view piece) { return packets.Take(piece); }, cpu_ns, stop));
  if (!refused.ok()) return refused;
  const auto no_packets = [](std::string_view why) {
    return absl::FailedPreconditionError(fmt::format("the video's packets can't be had: {}", why));
  };
  if (absl::IsDeadlineExceeded(outcome.was_ended)) return outcome.was_ended;
  if (!outcome.was_ended.ok()) return no_packets(Message(outcome.was_ended));
  const absl::Status ended = packets.End();
  if (absl::IsUnavailable(ended)) return ended;
  if (!WIFEXITED(outcome.status) || WEXITSTATUS(outcome.status) != 0) {
    return no_packets(HowItEnded(outcome.status).verdict.problem());
  }
  return ended.ok() ? ended : no_packets(Message(ended));
}

}  // namespace gleaner::cloud::media
