// A parsed filter as SQL over the tables frame, frame_video and clip, every value a bound
// parameter.
#pragma once

#include <string>

#include "cloud/database/sql.h"
#include "cloud/search/filter.h"

namespace gleaner::cloud {

// A condition without WHERE, "1 = 1" for an empty filter; adds its values to `parameters` in order.
// `camera` is about the frame's own camera; what is about clips is about the frame's clip.
std::string FrameCondition(Sql& sql, const Filter& filter, Parameters& parameters);

}  // namespace gleaner::cloud
