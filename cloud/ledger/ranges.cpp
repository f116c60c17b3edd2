#include "cloud/ledger/ranges.h"

#include <algorithm>

namespace gleaner::cloud {

std::vector<Range> Normalized(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.first < b.first; });
  std::vector<Range> out;
  for (const Range& range : ranges) {
    if (!out.empty() && range.first <= out.back().last + 1) {
      out.back().last = std::max(out.back().last, range.last);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

std::vector<Range> Missing(uint64_t last, const std::vector<Range>& settled,
                           const std::vector<Range>& pending) {
  std::vector<Range> known(settled);
  known.insert(known.end(), pending.begin(), pending.end());
  std::vector<Range> missing;
  uint64_t next = 1;
  for (const Range& range : Normalized(std::move(known))) {
    if (range.first > last) break;
    if (range.first > next) missing.push_back({next, range.first - 1});
    next = std::max(next, range.last + 1);
  }
  if (next <= last) missing.push_back({next, last});
  return missing;
}

bool Contains(const std::vector<Range>& ascending, uint64_t number) {
  const auto after =
      std::upper_bound(ascending.begin(), ascending.end(), number,
                       [](uint64_t value, const Range& range) { return value < range.first; });
  return after != ascending.begin() && std::prev(after)->last >= number;
}

}  // namespace gleaner::cloud
