// Child processes of a benchmark, and what CPU they take.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace gleaner::bench {

// A child with pipes to its standard input and output; killed and reaped on destruction.
class Process {
 public:
  explicit Process(const std::vector<std::string>& command);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // A line of its output without the line end. Throws std::runtime_error when it ended instead.
  std::string ReadLine();
  void WriteLine(const std::string& line);
  // User and system time in seconds that it and its children (nginx's workers) have taken so far.
  double CpuSeconds() const;
  pid_t pid() const { return pid_; }

 private:
  std::string name_;
  pid_t pid_ = -1;
  FILE* in_ = nullptr;
  FILE* out_ = nullptr;
};

}  // namespace gleaner::bench
