// What this process costs the machine, from the kernel's own books.
#pragma once

#include <cstdint>

#include "common/clock.h"

namespace gleaner::edge {

struct ProcessUsage {
  double uptime_s = 0;     // since the meter was made
  double cpu_percent = 0;  // of one core, since the last reading
  uint64_t rss_bytes = 0;
};

// The CPU time that this process has used so far, all threads.
int64_t ProcessCpuNs();

// Not thread-safe.
class ProcessMeter {
 public:
  explicit ProcessMeter(Clock& clock);
  ProcessUsage Read();

 private:
  Clock& clock_;
  const int64_t start_ns_;
  int64_t last_ns_;
  int64_t last_cpu_ns_;
};

}  // namespace gleaner::edge
