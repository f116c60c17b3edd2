// Pools that can be worked by hand.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "cloud/curate/strategy/select.h"
#include "cloud/curate/strategy/vectors.h"

namespace gleaner::cloud {

class PoolMaker {
 public:
  struct Options {
    std::string site = "store-1", device = "cart-1";
    uint64_t cluster = 0;
    std::vector<float> embedding = {};
    std::string first = "", second = "";
    float first_confidence = 0, second_confidence = 0;
    std::string label = "";
    bool reviewed = false, corrected = false;
    int64_t taken_ns = 0;
  };
  // Its position.
  size_t Add(const Options& options) {
    PoolFrame frame;
    frame.id = fmt::format("{:06}", pool.frames.size());
    frame.site = pool.words.Add(options.site);
    frame.device = pool.words.Add(options.device);
    frame.camera = pool.words.Add(options.device + "/front");
    frame.taken_ns = options.taken_ns;
    frame.cluster = options.cluster;
    frame.guess.first = pool.words.Add(options.first);
    frame.guess.second = pool.words.Add(options.second);
    frame.guess.first_confidence = options.first_confidence;
    frame.guess.second_confidence = options.second_confidence;
    frame.label = pool.words.Add(options.label);
    frame.labelled = !options.label.empty();
    frame.reviewed = options.reviewed;
    frame.corrected = options.corrected;
    pool.frames.push_back(frame);
    if (!options.embedding.empty()) {
      pool.dimensions = options.embedding.size();
      pool.embeddings.resize((pool.frames.size() - 1) * pool.dimensions, 0);
      pool.embeddings.insert(pool.embeddings.end(), options.embedding.begin(),
                             options.embedding.end());
      Normalize(&pool.embeddings[(pool.frames.size() - 1) * pool.dimensions], pool.dimensions);
    } else if (pool.dimensions > 0) {
      pool.embeddings.resize(pool.frames.size() * pool.dimensions, 0);
    }
    return pool.frames.size() - 1;
  }

  Pool pool;
};

struct Picked {
  absl::Status status;
  std::vector<Pick> picks;

  std::vector<size_t> frames() const {
    std::vector<size_t> all;
    for (const Pick& pick : picks) all.push_back(pick.frame);
    return all;
  }
};

inline Picked PickBy(std::string_view strategy, const Pool& pool, size_t budget,
                     const Quotas& quotas = {}, uint64_t seed = 1, size_t threads = 2) {
  Rng rng(seed);
  Choosing choosing{rng, {}, threads};
  Chosen chosen(pool, quotas);
  const absl::Status status = FindStrategy(strategy)->get().Pick(pool, budget, choosing, chosen);
  return {status, chosen.picks()};
}

// Frames in `groups` bundles of directions, with guesses, sites and a few labels: something for
// every strategy.
inline Pool MixedPool(size_t frames, size_t groups = 12, size_t dimensions = 24) {
  PoolMaker maker;
  Rng rng(99);
  for (size_t i = 0; i < frames; ++i) {
    const size_t group = rng.Below(groups);
    std::vector<float> direction(dimensions, 0);
    direction[group % dimensions] = 1;
    for (float& x : direction) x += static_cast<float>(.3 * (rng.Uniform() - .5));
    const float first = static_cast<float>(.5 + .5 * rng.Uniform());
    const bool labelled = i % 7 == 0;
    maker.Add({.site = fmt::format("store-{}", i % 5),
               .device = fmt::format("cart-{}", i % 9),
               .cluster = 1 + i / 3,
               .embedding = direction,
               .first = fmt::format("class-{}", group % 4),
               .second = fmt::format("class-{}", (group + 1) % 4),
               .first_confidence = first,
               .second_confidence = 1 - first,
               .label = labelled ? fmt::format("class-{}", group % 4) : "",
               .reviewed = labelled,
               .corrected = labelled && i % 5 == 2,
               .taken_ns = static_cast<int64_t>(i) * 60'000'000'000});
  }
  return maker.pool;
}

}  // namespace gleaner::cloud
