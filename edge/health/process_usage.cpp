#include "edge/health/process_usage.h"

#include <sys/resource.h>

#include "common/process_memory.h"

namespace gleaner::edge {

int64_t ProcessCpuNs() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const int64_t seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
  const int64_t micros = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  return seconds * kNanosPerSecond + micros * 1000;
}

ProcessMeter::ProcessMeter(Clock& clock)
    : clock_(clock),
      start_ns_(clock.MonotonicNs()),
      last_ns_(start_ns_),
      last_cpu_ns_(ProcessCpuNs()) {}

ProcessUsage ProcessMeter::Read() {
  const int64_t now = clock_.MonotonicNs();
  const int64_t cpu = ProcessCpuNs();
  ProcessUsage usage;
  usage.uptime_s = static_cast<double>(now - start_ns_) / 1e9;
  if (now > last_ns_) {
    usage.cpu_percent =
        100.0 * static_cast<double>(cpu - last_cpu_ns_) / static_cast<double>(now - last_ns_);
  }
  usage.rss_bytes = ResidentBytes();
  last_ns_ = now;
  last_cpu_ns_ = cpu;
  return usage;
}

}  // namespace gleaner::edge
