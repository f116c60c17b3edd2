// Finds the vectors nearest to one, in memory: which of a model's embeddings are like this one.
//
// An index gives candidates, by the cosine of vectors cut to 8 bits; whoever asks reads those few
// from the catalog and puts them in order by the exact cosine (similar_frames.h). So it need hold
// neither the vectors whole nor anything that the catalog can't give it again: it is rebuilt from
// there at each start, and where it is lost.
//
// Two of them. ScanIndex looks at every vector, but at most of them at one bit an axis only: no
// build, no parameter, nothing is lost by removing. GraphIndex (hnswlib) looks at a few thousand of
// any number; a vector costs it about a millisecond to add.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace gleaner::cloud {

struct Hit {
  uint64_t id = 0;
  float score = 0;  // the cosine, about
};

// Searching is safe from any number of threads at any time; so is Remove. Add is called by one
// thread at a time.
class VectorIndex {
 public:
  virtual ~VectorIndex() = default;

  // `unit`, of length 1, has the dimensions that the index was made for. `id` is above all before.
  virtual void Add(uint64_t id, std::span<const float> unit) = 0;
  // Not found any more. What isn't there stays away.
  virtual void Remove(uint64_t id) = 0;

  // The `count` nearest, nearest first; fewer where it has fewer. Equals by id.
  virtual std::vector<Hit> Search(std::span<const float> unit, size_t count) const = 0;
  // The same among those of `ids`, ascending; each of them is looked at.
  virtual std::vector<Hit> SearchAmong(std::span<const float> unit,
                                       const std::vector<uint64_t>& ids, size_t count) const = 0;

  // Each that it has, in ascending order.
  virtual void ForEachId(const std::function<void(uint64_t id)>& each) const = 0;
  virtual size_t size() const = 0;
  virtual uint64_t bytes() const = 0;
};

}  // namespace gleaner::cloud
