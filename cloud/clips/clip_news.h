// What the clips' transactions announce.
#pragma once

#include <string_view>

namespace gleaner::cloud {

// Announced (Database::Listen) with its id when a clip was committed or its media was checked.
inline constexpr std::string_view kClipChanged = "clip.changed";

}  // namespace gleaner::cloud
