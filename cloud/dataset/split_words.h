// The word of filters about the split that a frame is sealed in.
#pragma once

#include <vector>

#include "cloud/search/filter_word.h"

namespace gleaner::cloud {

// split:test of the only schema that there is, or split:carts/test. A frame that isn't sealed yet,
// since it came before splits were, is in none.
std::vector<FilterWord> SplitWords();

}  // namespace gleaner::cloud
