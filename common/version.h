// The version of this build, for --version, manifests and hello: of the commit that it was made of.
#pragma once

#include <string_view>

namespace gleaner {
// "0.1.0+197.g634d4f1": 197 commits, the last one 634d4f1. A test says "0.1.0" only. Defined by the
// program, not by this library: third_party/cmake/GleanerVersion.cmake.
std::string_view Version();
}  // namespace gleaner
