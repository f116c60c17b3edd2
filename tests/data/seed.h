// The seed of a test on random inputs: printed, so that a run that fails can be had again.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>

namespace gleaner {

// GLEANER_SEED from the environment, or else `usual`.
inline uint64_t Seed(uint64_t usual) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  const char* given = std::getenv("GLEANER_SEED");
  const uint64_t seed = given == nullptr ? usual : std::strtoull(given, nullptr, 10);
  std::cout << "seed " << seed << " (another one: GLEANER_SEED)\n";
  return seed;
}

}  // namespace gleaner
