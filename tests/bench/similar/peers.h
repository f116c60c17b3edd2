// What others offer for the same: each looks for the nearest by cosine, one query at a time on one
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/similar/vectors.h"

namespace gleaner::bench {

class Peer {
 public:
  virtual ~Peer() = default;
  virtual void Build(const VectorSet& set, size_t rows,
                     const std::function<void(double)>& progress) = 0;
  // Rows, nearest first; `cosines` (may be null) says how near.
  virtual std::vector<uint64_t> Search(const float* query, size_t count,
                                       std::vector<float>* cosines) = 0;
  virtual uint64_t bytes() const = 0;
};

// Exhaustive, over 32-bit numbers: exact.
std::unique_ptr<Peer> FaissFlat();
// `width`: how many candidates are kept on the way when one is looked for.
std::unique_ptr<Peer> Hnswlib(size_t neighbours, size_t add_width, size_t width, size_t threads);

}  // namespace gleaner::bench
