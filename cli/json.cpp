#include "cli/json.h"

#include <fmt/format.h>

namespace gleaner::cli {

void PrintJson(const nlohmann::ordered_json& json) {
  fmt::print("{}\n", json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

absl::Status PrintJsonText(std::string_view text) {
  const auto parsed = nlohmann::ordered_json::parse(text, nullptr, false);
  if (parsed.is_discarded()) return absl::UnavailableError("the server's answer is not JSON");
  PrintJson(parsed);
  return absl::OkStatus();
}

}  // namespace gleaner::cli
