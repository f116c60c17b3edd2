// For the targets that read configurations.
#pragma once

#include "common/status.h"
#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {

constexpr char kPath[] = "/nowhere/any.toml";

// Every mistake on a line of its own that says the file first.
inline void RequireMistakes(const absl::Status& status) {
  const std::string_view path = kPath;
  REQUIRE(absl::IsInvalidArgument(status));
  std::string_view left = Message(status);
  for (;;) {
    const size_t end = left.find('\n');
    const std::string_view line = left.substr(0, end);
    REQUIRE(line.substr(0, path.size()) == path && line.substr(path.size(), 1) == ":");
    REQUIRE(IsPlain(line));
    if (end == std::string_view::npos) return;
    left.remove_prefix(end + 1);
  }
}

}  // namespace gleaner::fuzz
