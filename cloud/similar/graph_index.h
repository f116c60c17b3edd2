// Finds its way through a graph of neighbours: hnswlib's hierarchical navigable small world (Y.
// Malkov and D. Yashunin, 2018), over the same 8 bits an axis that ScanIndex has.
//
// For more vectors than one wants to look at. It finds about 97 in a hundred of the nearest, in a
// time that hardly grows with their number; a vector takes a few hundred bytes more, and about a
// millisecond to add, under a lock that searches wait for.
#pragma once

#include <memory>
#include <shared_mutex>

#include "cloud/similar/fair_mutex.h"
#include "cloud/similar/kernels.h"
#include "cloud/similar/rotation.h"
#include "cloud/similar/vector_index.h"

namespace gleaner::cloud {

class GraphIndex : public VectorIndex {
 public:
  // Neighbours of a vector; how many are looked at when one is added, and at least when one is
  // looked for.
  struct Options {
    size_t neighbours = 16, add_width = 100, search_width = 160;
  };

  // `expected`: how many there will be, more or less. std::bad_alloc where the memory isn't there.
  GraphIndex(size_t dims, size_t expected, const Options& options,
             const Kernels& kernels = BestKernels());
  ~GraphIndex() override;

  void Add(uint64_t id, std::span<const float> unit) override;
  // The same of one that is rotated and cut already (ToInt8).
  void AddRow(uint64_t id, const int8_t* row);
  void Remove(uint64_t id) override;
  std::vector<Hit> Search(std::span<const float> unit, size_t count) const override;
  std::vector<Hit> SearchAmong(std::span<const float> unit, const std::vector<uint64_t>& ids,
                               size_t count) const override;
  void ForEachId(const std::function<void(uint64_t id)>& each) const override;
  size_t size() const override;
  uint64_t bytes() const override;

 private:
  struct Graph;

  const Rotation rotation_;
  const float unit_;
  mutable FairMutex mutex_;
  std::unique_ptr<Graph> graph_;
};

}  // namespace gleaner::cloud
