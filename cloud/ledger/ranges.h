// Sets of sequence numbers as closed ranges: how the ledger is reckoned.
#pragma once

#include <cstdint>
#include <vector>

namespace gleaner::cloud {

// [first, last], first ≤ last.
struct Range {
  uint64_t first = 0;
  uint64_t last = 0;
  bool operator==(const Range&) const = default;
  uint64_t count() const { return last - first + 1; }
};

// The same numbers in ascending order, with ranges that overlap or touch joined.
std::vector<Range> Normalized(std::vector<Range> ranges);

// The numbers of [1, last] that are in neither list, in ascending order. Each list ascends and is
// disjoint.
std::vector<Range> Missing(uint64_t last, const std::vector<Range>& settled,
                           const std::vector<Range>& pending);

bool Contains(const std::vector<Range>& ascending, uint64_t number);

}  // namespace gleaner::cloud
