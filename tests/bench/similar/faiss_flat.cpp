#include <faiss/IndexFlat.h>
#include <omp.h>

#include "tests/bench/similar/peers.h"

namespace gleaner::bench {
namespace {

class Flat : public Peer {
 public:
  void Build(const VectorSet& set, size_t rows, const std::function<void(double)>&) override {
    omp_set_num_threads(1);
    index_ = std::make_unique<faiss::IndexFlatIP>(static_cast<faiss::Index::idx_t>(set.dims));
    index_->add(static_cast<faiss::Index::idx_t>(rows), set.values.data());
  }
  std::vector<uint64_t> Search(const float* query, size_t count,
                               std::vector<float>* cosines) override {
    std::vector<float> scores(count);
    std::vector<faiss::Index::idx_t> found(count);
    index_->search(1, query, static_cast<faiss::Index::idx_t>(count), scores.data(), found.data());
    if (cosines != nullptr) *cosines = scores;
    return {found.begin(), found.end()};
  }
  uint64_t bytes() const override {
    return static_cast<uint64_t>(index_->ntotal) * static_cast<uint64_t>(index_->d) * sizeof(float);
  }

 private:
  std::unique_ptr<faiss::IndexFlatIP> index_;
};

}  // namespace

std::unique_ptr<Peer> FaissFlat() { return std::make_unique<Flat>(); }

}  // namespace gleaner::bench
