// Where this build's programs and this checkout's files are. Told when a test is linked, not when
// it is compiled, so that ccache serves every checkout.
#pragma once

#include <string>

namespace gleaner {

std::string BinDir();     // the folder of the built programs
std::string SourceDir();  // the root of the checkout

}  // namespace gleaner
