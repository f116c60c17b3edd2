#include "cloud/ingest/allocator.h"

#include <malloc.h>

namespace gleaner::cloud {

void TuneAllocator() {
  constexpr int kMapAbove = 32 << 20;  // the largest that glibc takes
  constexpr int kTrimAbove = 256 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kMapAbove);
  ::mallopt(M_TRIM_THRESHOLD, kTrimAbove);
}

}  // namespace gleaner::cloud
