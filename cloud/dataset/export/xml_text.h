// Text within XML 1.0.
#pragma once

#include <string>
#include <string_view>

namespace gleaner::cloud {

// As an element's text or within double quotes. What XML 1.0 can't say at all becomes "?".
std::string XmlText(std::string_view text);

}  // namespace gleaner::cloud
