// What all targets have. A target is one file: it reads one kind of bytes that come from elsewhere,
// and REQUIREs what the rest of the program then relies on. replay.cpp runs it in every build,
// libFuzzer under `./dev fuzz`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace gleaner::fuzz {

// Inputs to start from besides the files in corpus/TARGET, for formats that nobody writes by hand.
std::vector<std::string> Seeds();

// How many inputs got as far as the promises about what is let through. A target whose seeds are
// all refused tests nothing, which replay.cpp notices.
inline int64_t accepted = 0;

inline std::string_view AsText(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// What goes to a terminal or a log, as a line.
inline bool IsPlain(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) return false;
  }
  return true;
}

[[noreturn]] inline void Broken(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
  std::abort();
}

}  // namespace gleaner::fuzz

#define REQUIRE(condition) \
  ((condition) ? void(0) : gleaner::fuzz::Broken(__FILE__, __LINE__, #condition))
