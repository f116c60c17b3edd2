// The words of filters that are about clips, over the table clip.
#pragma once

#include <string>
#include <vector>

#include "cloud/search/filter_word.h"

namespace gleaner::cloud {

std::vector<FilterWord> ClipWords();

// For words about what clips have as well: those with such a camera. May throw SqlError.
std::string ClipsWithCamera(const std::vector<std::string>& cameras, FilterSql& to);

}  // namespace gleaner::cloud
