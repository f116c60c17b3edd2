#include "common/process_memory.h"

#include <unistd.h>

#include <cstdlib>

#include "common/file.h"

namespace gleaner {

// proc(5): the second number of statm is the resident set, in pages.
uint64_t ResidentBytes() {
  const absl::StatusOr<std::string> statm = ReadFile("/proc/self/statm", 4096);
  if (!statm.ok()) return 0;
  const size_t space = statm->find(' ');
  if (space == std::string::npos) return 0;
  return std::strtoull(statm->c_str() + space, nullptr, 10) *
         static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace gleaner
