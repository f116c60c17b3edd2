// The words of filters about what was said of frames.
#pragma once

#include <vector>

#include "cloud/search/filter_word.h"

namespace gleaner::cloud {

// label: a class in a label that counts, of any schema. predicted: a class in the newest prediction
// of the frame and a schema, whatever the model. reviewed: whether any label counts.
std::vector<FilterWord> LabelWords();

}  // namespace gleaner::cloud
