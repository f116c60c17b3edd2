// What `gleaner-edge probe` prints for people.
#pragma once

#include <string>

#include "gleaner/v1/status.pb.h"

namespace gleaner::edge {

// What was found, as comments in TOML, and the [[camera]] table under it: all of it may go to the
// end of a configuration as it stands.
std::string ToText(const v1::CameraProbe& probe);

}  // namespace gleaner::edge
