// The version of this build, for --version, manifests and hello.
#pragma once

#include <string_view>

namespace gleaner {
std::string_view Version();  // "0.1.0"
}
