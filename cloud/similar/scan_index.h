// Looks at every vector: first at a bit an axis, then at 8 where that leaves the question open.
//
// Vectors are rotated (rotation.h) and kept in chunks of 4096 in the order of their arrival, so
// that a chunk is often of few cameras. A chunk that is full is sealed: its mean is taken out, and
// of what is left over of each vector, its residual, the signs are kept beside the 8 bits. From the
// signs comes an estimate of the cosine that is right on average, and whose error is known
// beforehand: for a residual of length r and a query v (without the mean too), about 0.75 r |v| /
// sqrt(axes). That is RaBitQ (J. Gao and C. Long, SIGMOD 2024), with the mean of a chunk for a
// centroid; sums of signs come out of tables of 16 entries by shuffling bytes, 32 or 64 rows at
// once (F. André and others, "Quicker ADC", 2019). Only where the estimate and kErrors times its
// error reach what the worst hit so far has are the 8 bits read, which say the cosine to about
// 0.001.
//
// So what is found doesn't depend on the data, but its cost does: the signs of all vectors are read
// (1/32 of the vectors' bytes as 32-bit numbers, and 8 bytes a row), and the 8 bits of those that
// are about as near as what is looked for.
#pragma once

#include <array>
#include <bitset>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>

#include "cloud/similar/fair_mutex.h"
#include "cloud/similar/kernels.h"
#include "cloud/similar/nearest.h"
#include "cloud/similar/rotation.h"
#include "cloud/similar/vector_index.h"

namespace gleaner::cloud {

class ScanIndex : public VectorIndex {
 public:
  static constexpr size_t kChunkRows = 4096;
  // With so many standard errors 99.4 % of what is exactly at the limit is looked at.
  static constexpr float kErrors = 2.5F;

  explicit ScanIndex(size_t dims, const Kernels& kernels = BestKernels());

  void Add(uint64_t id, std::span<const float> unit) override;
  void Remove(uint64_t id) override;
  std::vector<Hit> Search(std::span<const float> unit, size_t count) const override;
  std::vector<Hit> SearchAmong(std::span<const float> unit, const std::vector<uint64_t>& ids,
                               size_t count) const override;
  void ForEachId(const std::function<void(uint64_t id)>& each) const override;
  size_t size() const override;
  uint64_t bytes() const override;

  // Of the last search on this thread: how many vectors' 8 bits it read. For benchmarks.
  static size_t last_read();
  struct Row {
    uint64_t id = 0;
    std::vector<int8_t> axes;
  };
  // Those with an id above `id`, in ascending order, at most `limit`, without those that were
  // removed.
  std::vector<Row> RowsAfter(uint64_t id, size_t limit) const;

 private:
  // What a full chunk has beside its rows.
  struct Signs {
    std::vector<float> mean;
    std::vector<uint8_t> codes;  // see kernels.h
    // The estimate of a row's cosine is <mean, query> + along + spread * (sum of signs).
    std::vector<float> along, spread;
    float error = 0;  // of the sum of signs, a unit of the query's length
  };
  struct Chunk {
    std::vector<int8_t> rows;
    std::vector<uint64_t> ids;
    std::bitset<kChunkRows> removed;
    std::unique_ptr<const Signs> signs;  // null until it is full
  };

  std::unique_ptr<const Signs> Seal(const Chunk& chunk) const;
  void SearchSigns(const Chunk& chunk, std::span<const float> rotated, const int8_t* query,
                   Nearest* nearest) const;
  void SearchRows(const Chunk& chunk, const int8_t* query, Nearest* nearest) const;
  Hit Score(const Chunk& chunk, size_t row, const int8_t* query) const;

  const Kernels& kernels_;
  const Rotation rotation_;
  const size_t axes_;
  const float unit_;
  mutable FairMutex mutex_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  size_t size_ = 0;
};

}  // namespace gleaner::cloud
