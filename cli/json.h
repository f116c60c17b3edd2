// The one style of JSON that the commands print: the API's own (see common/message_json.h), an
// object at the top.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "absl/status/status.h"

namespace gleaner::cli {

// To standard output.
void PrintJson(const nlohmann::ordered_json& json);
// What the server answered; UNAVAILABLE if that is no JSON.
absl::Status PrintJsonText(std::string_view text);

}  // namespace gleaner::cli
