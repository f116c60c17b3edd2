// Near-duplicates as the server finds them: alike, of one site, and close in time. By content alone
// bursts of 28-pixel garments can't be told from other garments of the same kind.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/bench/curation/fleet_pool.h"

namespace gleaner::bench {

// The 64 principal components of the backbone's last maps, on pictures that no pool has.
class Signature {
 public:
  static constexpr size_t kSize = 64;
  Signature(const std::vector<float>& maps, size_t map_size);
  // Of length 1, kSize a picture.
  std::vector<float> Of(const std::vector<float>& maps) const;

 private:
  const size_t map_size_;
  std::vector<float> mean_, components_;  // kSize rows of map_size_
};

struct NearCopies {
  double likeness = .55;
  size_t captures = 20;  // of the same site, at most so many apart
};

// A cluster for each capture, from 1: leaders in random order take what is like them.
std::vector<uint64_t> FindNearCopies(const FleetPool& pool, const std::vector<float>& signatures,
                                     const NearCopies& how, uint64_t seed);

// Of pairs in one cluster those of one burst, and of pairs of one burst those in one cluster.
struct PairScore {
  double precision = 0, recall = 0;
};
PairScore ScorePairs(const FleetPool& pool, const std::vector<uint64_t>& clusters);

}  // namespace gleaner::bench
