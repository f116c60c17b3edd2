// The middle value of some: unlike their mean it isn't moved by a few that are far off.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace gleaner::edge {

// Of an even number of values the upper middle one. `values` isn't empty.
template <typename T>
T Median(std::vector<T> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace gleaner::edge
