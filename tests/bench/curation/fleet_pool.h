// Pools of 10,000 captures out of the training pictures 0 to 49,999.
//
//   A    plain: as many pictures, each once, all of one site
//   B    fleet-like: ten sites of unequal volume (1, 1/2, … 1/10), each with classes of its own
//   (the
//        rarest class is 1 to 2 % of the fleet), bursts of about ten near-copies (shifted, turned,
//        lighter or darker, noisy, one in ten partly covered), 3 % of the labels flipped
//   B2   the same with bursts of about five
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bench/curation/fashion.h"

namespace gleaner::bench {

struct FleetPool {
  std::string kind;
  Pictures captures;             // with their true labels, in the order of capture
  std::vector<uint8_t> answers;  // what a person would say
  std::vector<uint32_t> sites, bursts;

  size_t size() const { return captures.size(); }
  std::vector<double> ClassShares() const;  // by true labels
};

inline constexpr size_t kPoolSize = 10'000, kPoolPictures = 50'000;

FleetPool MakePool(const std::string& kind, uint64_t seed, const Pictures& train);

}  // namespace gleaner::bench
