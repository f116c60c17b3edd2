// Works on a spool, noting in a journal what it was promised, until it is killed: by a crash point
// (GLEANER_CRASH_AT) or a power cut.
//
//   spool_crash_child run DIR JOURNAL [--clips N] [--synchronous NORMAL] [--late-device] [--ready
//   FILE] spool_crash_child check DIR JOURNAL      prints what is wrong; exit status 1 if anything
//   is
//
// `run` ends with exit status 0 after N clips (60); with --ready it goes on until it is killed, and
// makes FILE after N.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "common/file.h"
#include "common/log.h"
#include "tests/edge/spool/fault_device.h"
#include "tests/edge/spool/spool_testing.h"

namespace gleaner::edge {
namespace {

struct Arguments {
  std::string directory, journal, ready, synchronous = "FULL";
  uint64_t clips = 60;
  bool late_device = false;
};

void Must(const absl::Status& status, const char* what) {
  if (status.ok()) return;
  fmt::print(stderr, "{}: {}\n", what, status.ToString());
  std::_Exit(2);
}

class Child {
 public:
  explicit Child(const Arguments& arguments) : arguments_(arguments) {
    auto journal = OpenFile(arguments.journal, O_WRONLY | O_CREAT | O_APPEND);
    Must(journal.status(), "journal");
    journal_ = *std::move(journal);
  }

  void Run() {
    const SpoolOptions options = {.directory = arguments_.directory, .quota_bytes = 4 << 20};
    LateDevice late;
    SpoolInternals internals{.synchronous = arguments_.synchronous};
    if (arguments_.late_device) internals.device = &late;
    auto opened = SpoolInternals::Open(options, clock_, kTestBoot, internals);
    Must(opened.status(), "open");
    spool_ = *std::move(opened);
    for (uint64_t i = 1; i <= arguments_.clips || !arguments_.ready.empty(); ++i) {
      Step(i);
      if (i == arguments_.clips && !arguments_.ready.empty()) {
        Must(WriteFileDurably(arguments_.ready, "ready"), "ready");
      }
    }
  }

 private:
  void Note(std::string_view event, uint64_t sequence) {
    const std::string line = fmt::format("{} {}\n", event, sequence);
    if (::write(journal_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      std::_Exit(3);
    }
  }

  ClipKey Take() {
    const auto key = spool_->TakeNumber("motion", 3);
    Must(key.status(), "take");
    Note("taken", key->sequence);
    return *key;
  }

  // All that a spool is asked to do in its life, in a fixed order; the quota is small, so that
  // eviction is part of it.
  void Step(uint64_t i) {
    clock_.Advance(kNanosPerSecond);
    const ClipKey key = Take();
    if (i % 7 == 3) {
      Note("ending", key.sequence);
      Must(spool_->Fail(key, "the encoder failed"), "fail");
    } else {
      const std::vector<uint64_t> sizes =
          i % 3 == 0 ? std::vector<uint64_t>{3'000, 40'000}
                     : std::vector<uint64_t>{9'000, 300'000 + 1000 * i, 524'288};
      Note("writing", key.sequence);
      Must(WriteTestClip(*spool_, key, sizes).status(), "write");
      Note("committed", key.sequence);
    }
    if (i % 11 == 5) {
      const auto suppressed = spool_->TakeSuppressed("motion", "paused");
      Must(suppressed.status(), "suppress");
      Note("taken", suppressed->sequence);
    }
    if (i % 4 == 2) Next(false);
    if (i % 9 == 8) Next(true);
    if (i % 10 == 9) Acknowledge();
  }

  void Next(bool quarantine) {
    const auto next = spool_->Next({});
    Must(next.status(), "next");
    if (!next->has_value()) return;
    const StoredClip& clip = **next;
    Note("ending", clip.key.sequence);
    if (quarantine) {
      Must(spool_->Quarantine(clip.key, "refused"), "quarantine");
    } else {
      Must(spool_->Release(clip.key, clip.manifest_sha256), "release");
      Note("released", clip.key.sequence);
    }
  }

  void Acknowledge() {
    const auto report = spool_->Ledger();
    Must(report.status(), "ledger");
    std::vector<ClipKey> keys;
    for (const auto& stone : report->boots(0).tombstones()) {
      Note("ending", stone.key().sequence());
      keys.push_back({spool_->boot_id(), stone.key().sequence()});
    }
    Must(spool_->AcknowledgeTombstones(keys), "acknowledge");
  }

  const Arguments arguments_;
  Fd journal_;
  FakeClock clock_;
  std::unique_ptr<Spool> spool_;
};

int Check(const Arguments& arguments) {
  const auto wrong = CheckSpool({.directory = arguments.directory, .quota_bytes = 4 << 20},
                                Journal::Read(arguments.journal));
  for (const std::string& line : wrong) fmt::print("{}\n", line);
  return wrong.empty() ? 0 : 1;
}

}  // namespace
}  // namespace gleaner::edge

int main(int argc, char** argv) {
  using gleaner::edge::Arguments;
  if (argc < 4) return 64;
  Arguments arguments{.directory = argv[2], .journal = argv[3]};
  for (int i = 4; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--late-device") arguments.late_device = true;
    if (i + 1 == argc) continue;
    if (flag == "--clips") arguments.clips = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--synchronous") arguments.synchronous = argv[i + 1];
    if (flag == "--ready") arguments.ready = argv[i + 1];
  }
  spdlog::set_level(spdlog::level::off);
  if (std::string_view(argv[1]) == "check") return gleaner::edge::Check(arguments);
  gleaner::edge::Child(arguments).Run();
  return 0;
}
