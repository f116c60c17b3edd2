// One seed of the study: a pool drawn anew, and each arm labelling it step by step until the
// learner is as good as with all labels. Arms share the pool, the clusters and the learner.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cloud/curate/strategy/select.h"
#include "tests/bench/curation/backbone.h"
#include "tests/bench/curation/near_copies.h"

namespace gleaner::bench {

// How many labels there are after each step.
inline constexpr size_t kGrid[] = {20,  30,  45,   70,   100,  150,  220, 330,
                                   500, 750, 1100, 1600, 2400, 3600, 5400};

struct StudyArm {
  std::string name;
  std::vector<cloud::Arm> mix;  // as the product's selection runs have it; empty: one strategy
  std::string strategy;         // the library's, alone
};

// Accuracies on the test set, which is never perturbed: the mean over classes, and weighted by how
// often the fleet shows each.
struct Score {
  double balanced = 0, fleet = 0, rarest = 0;
};

struct SeedResult {
  Score full;  // with all 10,000 answers
  size_t clusters = 0, bursts = 0;
  PairScore near;
  std::map<std::string, std::vector<Score>> curves;  // by arm, along kGrid; may end early
};

struct Material {
  Pictures train, test;
  Backbone backbone;
  std::vector<float> test_embeddings;
  Signature signature;

  static Material Make();
};

SeedResult RunSeed(const Material& material, const std::string& pool_kind, uint64_t seed,
                   const std::vector<StudyArm>& arms);

// How many labels the curve needs for `share` of `full`: on its isotonic fit, between steps by the
// logarithm; the last step where it never gets there.
double LabelsTo(const std::vector<double>& curve, double target);

}  // namespace gleaner::bench
