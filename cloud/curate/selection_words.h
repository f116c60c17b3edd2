// The word of filters about what was selected.
#pragma once

#include <vector>

#include "cloud/search/filter_word.h"

namespace gleaner::cloud {

// selected:NAME finds the frames of that selection, for lists, tasks and datasets.
std::vector<FilterWord> SelectionWords();

}  // namespace gleaner::cloud
