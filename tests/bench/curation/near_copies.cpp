#include "tests/bench/curation/near_copies.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "cloud/curate/strategy/rng.h"
#include "cloud/curate/strategy/vectors.h"

namespace gleaner::bench {

using cloud::Rng;

Signature::Signature(const std::vector<float>& maps, size_t map_size)
    : map_size_(map_size), mean_(map_size, 0), components_(kSize * map_size) {
  const size_t count = maps.size() / map_size;
  std::vector<float> centred = maps;
  for (size_t i = 0; i < maps.size(); ++i) {
    mean_[i % map_size] += maps[i] / static_cast<float>(count);
  }
  for (size_t i = 0; i < maps.size(); ++i) centred[i] -= mean_[i % map_size];
  // Subspace iteration: components ← orthonormal(components · Xᵀ X).
  Rng rng(11);
  for (float& value : components_) value = static_cast<float>(rng.Uniform() - .5);
  for (int round = 0; round < 8; ++round) {
    std::vector<float> next(components_.size(), 0);
    std::vector<float> weights(kSize);
    for (size_t row = 0; row < count; ++row) {
      const float* x = &centred[row * map_size];
      cloud::DotEach(x, components_.data(), kSize, map_size, weights.data());
      for (size_t k = 0; k < kSize; ++k) {
        float* to = &next[k * map_size];
        const float weight = weights[k];
        for (size_t i = 0; i < map_size; ++i) to[i] += weight * x[i];
      }
    }
    for (size_t k = 0; k < kSize; ++k) {  // Gram and Schmidt
      float* row = &next[k * map_size];
      cloud::Normalize(row, map_size);
      for (size_t j = 0; j < k; ++j) {
        const float* other = &next[j * map_size];
        const float common = cloud::Dot(row, other, map_size);
        for (size_t i = 0; i < map_size; ++i) row[i] -= common * other[i];
      }
      cloud::Normalize(row, map_size);
    }
    components_ = std::move(next);
  }
}

std::vector<float> Signature::Of(const std::vector<float>& maps) const {
  const size_t count = maps.size() / map_size_;
  std::vector<float> signatures(count * kSize), centred(map_size_);
  for (size_t row = 0; row < count; ++row) {
    for (size_t i = 0; i < map_size_; ++i) centred[i] = maps[row * map_size_ + i] - mean_[i];
    float* to = &signatures[row * kSize];
    cloud::DotEach(centred.data(), components_.data(), kSize, map_size_, to);
    cloud::Normalize(to, kSize);
  }
  return signatures;
}

std::vector<uint64_t> FindNearCopies(const FleetPool& pool, const std::vector<float>& signatures,
                                     const NearCopies& how, uint64_t seed) {
  std::map<uint32_t, std::vector<size_t>> of_site;
  std::vector<size_t> position(pool.size()), order(pool.size());
  for (size_t i = 0; i < pool.size(); ++i) {
    position[i] = of_site[pool.sites[i]].size();
    of_site[pool.sites[i]].push_back(i);
    order[i] = i;
  }
  Rng rng = Rng::For(seed, "near copies");
  rng.Shuffle(order);
  std::vector<uint64_t> clusters(pool.size(), 0);
  uint64_t next = 0;
  for (const size_t leader : order) {
    if (clusters[leader] != 0) continue;
    clusters[leader] = ++next;
    const std::vector<size_t>& site = of_site[pool.sites[leader]];
    const size_t at = position[leader];
    const size_t from = at > how.captures ? at - how.captures : 0;
    const size_t to = std::min(site.size(), at + how.captures + 1);
    for (size_t i = from; i < to; ++i) {
      if (clusters[site[i]] != 0) continue;
      const float likeness = cloud::Dot(&signatures[leader * Signature::kSize],
                                        &signatures[site[i] * Signature::kSize], Signature::kSize);
      if (likeness >= how.likeness) clusters[site[i]] = next;
    }
  }
  return clusters;
}

PairScore ScorePairs(const FleetPool& pool, const std::vector<uint64_t>& clusters) {
  const auto pairs = [](const auto& groups) {
    double sum = 0;
    for (const auto& [group, n] : groups) sum += n * (n - 1) / 2;
    return sum;
  };
  std::map<uint32_t, double> bursts;
  std::map<uint64_t, double> found;
  std::map<std::pair<uint32_t, uint64_t>, double> both;
  for (size_t i = 0; i < pool.size(); ++i) {
    ++bursts[pool.bursts[i]];
    ++found[clusters[i]];
    ++both[{pool.bursts[i], clusters[i]}];
  }
  return {pairs(both) / std::max(1.0, pairs(found)), pairs(both) / std::max(1.0, pairs(bursts))};
}

}  // namespace gleaner::bench
