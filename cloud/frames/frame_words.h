// The words of filters that are about frames, over the tables frame, frame_video and clip.
#pragma once

#include <vector>

#include "cloud/search/filter_word.h"

namespace gleaner::cloud {

// `camera` among them: of frames it means their own.
std::vector<FilterWord> FrameWords();

}  // namespace gleaner::cloud
