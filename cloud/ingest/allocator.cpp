#include "cloud/ingest/allocator.h"

#include <malloc.h>

namespace gleaner::cloud {

void TuneAllocator() {
  constexpr int kMapAbove = 32 << 20;  // the largest that glibc takes
  constexpr int kTrimAbove = 256 << 20;
  // Before there are other threads.
  ::mallopt(M_MMAP_THRESHOLD, kMapAbove);   // NOLINT(concurrency-mt-unsafe)
  ::mallopt(M_TRIM_THRESHOLD, kTrimAbove);  // NOLINT(concurrency-mt-unsafe)
}

}  // namespace gleaner::cloud
