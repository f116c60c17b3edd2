// The names of devices, sites, cameras and rules.
//
// One rule for all of them, since they stand in certificates, in signals of the rule language
// (camera.front.motion), in the filter language, in URLs and in the names of files.
#pragma once

#include <string>
#include <string_view>

namespace gleaner {

inline constexpr size_t kMaxNameBytes = 63;
// For messages: what a name has.
inline constexpr std::string_view kNameRule = "1 to 63 of a-z, 0-9 and -, not starting with -";

// 1 to 63 of [a-z0-9-], not starting with '-'.
bool IsName(std::string_view text);

// The nearest name: "Front_Door" → "front-door". Empty where nothing of `text` can stand in one.
std::string NearestName(std::string_view text);

// What is wrong with a text that is no name, and what to write instead:
//   "Front_Door" is not a name (1 to 63 of a-z, 0-9 and -, not starting with -): write "front-door"
// On one line and of bounded length, whatever `text` holds. `remedy` stands before the suggestion.
std::string NotAName(std::string_view text, std::string_view remedy = "write");

}  // namespace gleaner
