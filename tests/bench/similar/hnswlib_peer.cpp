// Built for the processor that it runs on, as its own users do: hnswlib has no other way to use it.
#include <hnswlib/hnswlib.h>

#include <atomic>
#include <thread>

#include "tests/bench/similar/peers.h"

namespace gleaner::bench {
namespace {

class Graph : public Peer {
 public:
  Graph(size_t neighbours, size_t add_width, size_t width, size_t threads)
      : neighbours_(neighbours), add_width_(add_width), width_(width), threads_(threads) {}

  void Build(const VectorSet& set, size_t rows,
             const std::function<void(double)>& progress) override {
    space_ = std::make_unique<hnswlib::InnerProductSpace>(set.dims);
    graph_ = std::make_unique<hnswlib::HierarchicalNSW<float>>(space_.get(), rows, neighbours_,
                                                               add_width_);
    graph_->addPoint(set.row(0), 0);
    std::atomic<size_t> next = 1;
    const auto work = [&](bool tells) {
      for (size_t row = next++; row < rows; row = next++) {
        graph_->addPoint(set.row(row), row);
        if (tells && row % 1'000 < threads_) {
          progress(static_cast<double>(row) / static_cast<double>(rows));
        }
      }
    };
    {
      std::vector<std::jthread> threads;
      for (size_t t = 1; t < threads_; ++t) threads.emplace_back(work, false);
      work(true);
    }
    graph_->setEf(width_);
  }
  std::vector<uint64_t> Search(const float* query, size_t count,
                               std::vector<float>* cosines) override {
    auto found = graph_->searchKnn(query, count);
    std::vector<uint64_t> rows(found.size());
    if (cosines != nullptr) cosines->resize(found.size());
    for (size_t i = found.size(); !found.empty(); found.pop()) {
      rows[--i] = found.top().second;
      if (cosines != nullptr) (*cosines)[i] = 1 - found.top().first;
    }
    return rows;
  }
  uint64_t bytes() const override { return graph_->max_elements_ * graph_->size_data_per_element_; }

 private:
  const size_t neighbours_, add_width_, width_, threads_;
  std::unique_ptr<hnswlib::InnerProductSpace> space_;
  std::unique_ptr<hnswlib::HierarchicalNSW<float>> graph_;
};

}  // namespace

std::unique_ptr<Peer> Hnswlib(size_t neighbours, size_t add_width, size_t width, size_t threads) {
  return std::make_unique<Graph>(neighbours, add_width, width, threads);
}

}  // namespace gleaner::bench
