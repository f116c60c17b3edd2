// A program under test: started with its output in a file, killed or stopped at will, never left
// behind.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gleaner::e2e {

class Process {
 public:
  using Environment = std::vector<std::pair<std::string, std::string>>;

  // Starts `argv`, in a process group of its own, with standard output and error appended to `log`.
  // Aborts the test if it can't be started.
  Process(std::vector<std::string> argv, std::string log, const Environment& extra = {});
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  // Kills what still runs.
  ~Process();

  bool running();
  // SIGKILL, and waits until it is gone.
  void Kill();
  // SIGTERM; the exit status, or −1 if it had to be killed after `deadline`.
  int Stop(std::chrono::milliseconds deadline = std::chrono::seconds(15));
  // Waits for it to end by itself; the exit status (128 + signal if it was killed), or −1 after
  // `deadline`.
  int Wait(std::chrono::milliseconds deadline);

  // To the process, and to all of its group.
  void Signal(int number) const;
  void SignalGroup(int number) const;

  pid_t pid() const { return pid_; }
  // What it holds in memory now, and the most it has held since it started or ForgetPeak().
  uint64_t MemoryBytes() const { return StatusBytes("VmRSS:"); }
  uint64_t PeakMemoryBytes() const { return StatusBytes("VmHWM:"); }
  void ForgetPeak();
  std::string Log() const;

 private:
  bool Reap(bool block);
  // A line of /proc/PID/status, which is in KiB.
  uint64_t StatusBytes(const std::string& name) const;

  pid_t pid_ = -1;
  int status_ = 0;
  std::string log_;
};

// Runs a command to its end; its standard output. Fails the test when it exits with anything but
// `expected`.
std::string Run(const std::vector<std::string>& argv, int expected = 0);

// Polls `condition` every few milliseconds. False after `deadline`.
template <typename Condition>
bool Eventually(Condition condition, std::chrono::milliseconds deadline = std::chrono::seconds(30));

}  // namespace gleaner::e2e

#include <thread>

template <typename Condition>
bool gleaner::e2e::Eventually(Condition condition, std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}
