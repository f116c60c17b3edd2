#include "cloud/similar/graph_index.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <stdexcept>

#include "cloud/similar/nearest.h"

// Distances are ours; what it brings of its own defines functions in a header.
#define NO_MANUAL_VECTORIZATION
#include <hnswlib/hnswlib.h>

namespace gleaner::cloud {
namespace {

// The smaller, the nearer: minus the product.
class ProductSpace : public hnswlib::SpaceInterface<int> {
 public:
  ProductSpace(size_t axes, const Kernels& kernels) : parameters_{axes, &kernels} {}

  size_t get_data_size() override { return parameters_.axes; }
  hnswlib::DISTFUNC<int> get_dist_func() override {
    return [](const void* a, const void* b, const void* parameters) {
      const auto& [axes, kernels] = *static_cast<const Parameters*>(parameters);
      return -kernels->dot(static_cast<const int8_t*>(a), static_cast<const int8_t*>(b), axes);
    };
  }
  void* get_dist_func_param() override { return &parameters_; }

 private:
  struct Parameters {
    size_t axes;
    const Kernels* kernels;
  } parameters_;
};

constexpr size_t kLeast = 1024;
// Of hash tables and locks, by hand.
constexpr size_t kBesides = 120;

}  // namespace

struct GraphIndex::Graph {
  ProductSpace space;
  hnswlib::HierarchicalNSW<int> links;
};

GraphIndex::GraphIndex(size_t dims, size_t expected, const Options& options, const Kernels& kernels)
    : rotation_(dims), unit_(Int8Unit(rotation_.axes())) {
  try {
    ProductSpace space(rotation_.axes(), kernels);
    graph_.reset(new Graph{
        space, {&space, std::max(expected, kLeast), options.neighbours, options.add_width}});
    graph_->links.dist_func_param_ = graph_->space.get_dist_func_param();
    graph_->links.setEf(options.search_width);
  } catch (const std::runtime_error&) {  // "Not enough memory"
    throw std::bad_alloc();
  }
}

GraphIndex::~GraphIndex() = default;

void GraphIndex::Add(uint64_t id, std::span<const float> unit) {
  AddRow(id, ToInt8(rotation_(unit)).data());
}

void GraphIndex::AddRow(uint64_t id, const int8_t* row) {
  std::unique_lock lock(mutex_);
  auto& links = graph_->links;
  try {
    if (links.cur_element_count == links.max_elements_) {
      links.resizeIndex(links.max_elements_ + links.max_elements_ / 4);
    }
    links.addPoint(row, id);
  } catch (const std::runtime_error&) {  // "Not enough memory"
    throw std::bad_alloc();
  }
}

void GraphIndex::Remove(uint64_t id) {
  std::unique_lock lock(mutex_);
  auto& links = graph_->links;
  const auto found = links.label_lookup_.find(id);
  if (found == links.label_lookup_.end() || links.isMarkedDeleted(found->second)) return;
  links.markDelete(id);
}

std::vector<Hit> GraphIndex::Search(std::span<const float> unit, size_t count) const {
  const std::vector<int8_t> query = ToInt8(rotation_(unit));
  std::vector<Hit> hits;
  if (count == 0) return hits;
  std::shared_lock lock(mutex_);
  auto found = graph_->links.searchKnn(query.data(), count);
  for (; !found.empty(); found.pop()) {
    hits.push_back({found.top().second, -unit_ * static_cast<float>(found.top().first)});
  }
  std::sort(hits.begin(), hits.end(), Nearer);
  return hits;
}

std::vector<Hit> GraphIndex::SearchAmong(std::span<const float> unit,
                                         const std::vector<uint64_t>& ids, size_t count) const {
  const std::vector<int8_t> query = ToInt8(rotation_(unit));
  Nearest nearest(count);
  std::shared_lock lock(mutex_);
  const auto& links = graph_->links;
  for (const uint64_t id : ids) {
    const auto found = links.label_lookup_.find(id);
    if (found == links.label_lookup_.end() || links.isMarkedDeleted(found->second)) continue;
    const int distance = links.fstdistfunc_(query.data(), links.getDataByInternalId(found->second),
                                            links.dist_func_param_);
    nearest.Add({id, -unit_ * static_cast<float>(distance)});
  }
  return nearest.Take();
}

// Vectors stand in the order in which they were added.
void GraphIndex::ForEachId(const std::function<void(uint64_t)>& each) const {
  std::shared_lock lock(mutex_);
  const auto& links = graph_->links;
  for (size_t i = 0; i < links.cur_element_count; ++i) {
    const auto at = static_cast<hnswlib::tableint>(i);
    if (!links.isMarkedDeleted(at)) each(links.getExternalLabel(at));
  }
}

size_t GraphIndex::size() const {
  std::shared_lock lock(mutex_);
  return graph_->links.cur_element_count - graph_->links.num_deleted_;
}

uint64_t GraphIndex::bytes() const {
  std::shared_lock lock(mutex_);
  const auto& links = graph_->links;
  return links.max_elements_ * (links.size_data_per_element_ + kBesides);
}

}  // namespace gleaner::cloud
