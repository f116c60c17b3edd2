// Many seeds' curves as one number: how many labels each arm needs, as a ratio to a peer's, with
// its interval.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/bench/curation/study.h"

namespace gleaner::bench {

inline constexpr double kTargetShare = .98;
// Arms that are all of one kind and whose mean curve is the peer `random`: one alone differs from
// another by a factor of 1.6 in a single seed.
inline constexpr const char* kRandomReplicates[] = {"random", "random again"};

enum class Test { kBalanced, kFleet };

// Of each seed, how many labels the arm needs for kTargetShare of what all labels give. "random":
// the replicates' mean curve.
std::vector<double> LabelsOf(const std::vector<SeedResult>& seeds, const std::string& arm,
                             Test test);

struct Ratio {
  double value = 0;          // geometric mean over seeds
  double low = 0, high = 0;  // bootstrap over seeds, 95 %
  double worst = 0;          // the largest
};
Ratio RatioOf(const std::vector<double>& ours, const std::vector<double>& theirs);
double GeometricMean(const std::vector<double>& values);

}  // namespace gleaner::bench
