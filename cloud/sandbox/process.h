// One run of a program that shuts itself in (inside/sandbox.h) before it looks at what nobody
// vouches for.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/sandbox/descriptors.h"
#include "common/file.h"

namespace gleaner::cloud::sandbox {

struct Command {
  std::string program;
  int input_fd = -1;
  const Fd& request;                          // see MakeRequest
  std::vector<std::string> environment = {};  // NAME=value
  size_t max_answer_bytes = 0;
  // Where it is set it is given what the program says, as it comes, and `said` stays empty; an
  // error stops the program, and is how it ended.
  std::function<absl::Status(std::string_view piece)> listen = {};
  // Of processor time, and ten times as long by the clock, so that a busy machine fails nobody;
  // then it is killed with all it may have started.
  int64_t cpu_ns = 0;
  // For sentences: "the media worker" can't be started, "the decoder" crashed, "decoding" took
  // longer, used more than "a clip" may cost.
  std::string_view called, worker, doing, payer;
};

// What became of a run.
struct Outcome {
  enum class End {
    kWell,    // what it said may be read
    kEarly,   // by itself, with an exit status that isn't 0
    kStopped  // it crashed, or was stopped: by its sandbox, its limits, or for its answer
  };
  std::string said;
  End end = End::kWell;
  bool used_up = false;   // kStopped for its processor time
  bool too_late = false;  // kStopped by the clock: the machine was busy
  std::string how;        // for people; empty for kWell
};

// Waits for the run's end. Whatever the program does is an outcome. An error means that it says
// nothing of what was to be looked at: UNAVAILABLE (it can't be started), ABORTED (somebody else
// killed it: an operator, or the kernel for want of memory), CANCELLED (`stop`).
absl::StatusOr<Outcome> Run(const Command& command, const std::stop_token& stop);

// A request in memory: a file that is nowhere, which the program reads without anyone writing at
// the same time. The parts stand in it one behind the other.
absl::StatusOr<Fd> MakeRequest(const std::vector<std::string_view>& parts);

// What RLIMIT_CPU is to be for so much time.
uint32_t CpuSeconds(int64_t cpu_ns);

// Of what a program said, as text for people: at most 300 bytes, printable; what isn't becomes "?".
std::string PlainText(std::string_view text);

struct Piece {
  uint32_t kind = 0;
  std::string_view payload;
};
// The next one of an answer, which is taken off `bytes`; false where the answer breaks off.
bool NextPiece(std::string_view& bytes, Piece* piece);

}  // namespace gleaner::cloud::sandbox
