// What a term's value may be, by the kind of its word.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cloud/search/filter_word.h"

namespace gleaner::cloud {

// Empty when `text` can be a value of `word`, else what is wrong and what would be right.
std::string WhatIsWrong(const FilterWord& word, std::string_view text);

// A finite number, and for all words but those of kNumber one from 0 to 1.
std::optional<double> ParseNumber(const FilterWord& word, std::string_view text);

// Unix nanoseconds that fit 64 bits: years 1970 to 2262.
std::optional<int64_t> ParseMoment(const std::string& text, int64_t now_unix_ns);

}  // namespace gleaner::cloud
