// What this process holds in memory.
#pragma once

#include <cstdint>

namespace gleaner {

// Its resident set, from the kernel's own books; 0 if they can't be read.
uint64_t ResidentBytes();

}  // namespace gleaner
