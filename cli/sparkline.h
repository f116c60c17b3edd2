// A signal over time in one line of text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gleaner::cli {

// A step function in one line of eight heights: each character is the largest value in its part of
// [start, end). Blank where there is none yet. `offset_us` ascends and has as many entries as
// `value`.
std::string Sparkline(const std::vector<int64_t>& offset_us, const std::vector<double>& value,
                      int64_t start_us, int64_t end_us, size_t width);

}  // namespace gleaner::cli
