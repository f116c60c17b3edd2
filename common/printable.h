// Text from outside, made safe to show on a terminal and in a log.
#pragma once

#include <string>
#include <string_view>

namespace gleaner {

// `text` with all that could end its line, drive a terminal or hide what stands beside it written
// out, as in "\n", "\x1b" and "\u202e": control characters, line and paragraph separators, marks
// that turn the direction of writing or can't be seen, and bytes that are not UTF-8. Letters of any
// script, spaces and backslashes stay as they are.
std::string Printable(std::string_view text);

}  // namespace gleaner
