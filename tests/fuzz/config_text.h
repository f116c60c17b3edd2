// For the targets that read configurations.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include "common/status.h"
#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {

// The path of a file that has these contents until the next call, and is on no disk.
inline std::string InMemory(const uint8_t* data, size_t size) {
  static const int fd = ::memfd_create("config", MFD_CLOEXEC);
  REQUIRE(fd >= 0 && ::ftruncate(fd, 0) == 0);
  REQUIRE(::pwrite(fd, data, size, 0) == static_cast<ssize_t>(size));
  return "/proc/self/fd/" + std::to_string(fd);
}

// Every mistake on a line of its own that says the file first.
inline void RequireMistakes(const absl::Status& status, std::string_view path) {
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
