// Numbers, times and what comes from outside, as text for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace gleaner {

// "1 clip", "2 clips", "0 clips".
std::string Count(uint64_t n, std::string_view noun);
// "312 B", "1.2 MiB".
std::string HumanBytes(uint64_t bytes);
// "12 s", "3 min", "5 h", "2 d".
std::string Span(int64_t seconds);
// "12 s ago"; "never" for 0, "just now" within a second and for the near future.
std::string Ago(int64_t unix_ns, int64_t now_unix_ns);
// "2026-11-22 17:58:03" in the viewer's time zone; "-" for 0.
std::string LocalTime(int64_t unix_ns);
// Each byte that is not part of a UTF-8 character becomes "?": what goes into a message's string.
std::string ValidUtf8(std::string_view text);
// The longest prefix of at most `max_bytes` that ends with a whole UTF-8 character: with half of
// one, no receiver would parse the message and no database keep the text.
std::string Shorten(std::string text, size_t max_bytes);

}  // namespace gleaner
