// Where the tests of this build find programs and data.
#pragma once

#include <string>

namespace gleaner {

// The folder of the built programs.
std::string BinDir();

// The top folder of the sources.
std::string SourceDir();

}  // namespace gleaner
