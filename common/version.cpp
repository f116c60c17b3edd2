#include "common/version.h"

namespace gleaner {
std::string_view Version() { return GLEANER_VERSION; }
}  // namespace gleaner
