#include "tests/bench/curation/summary.h"

#include <algorithm>
#include <cmath>

#include "cloud/curate/strategy/rng.h"

namespace gleaner::bench {
namespace {

std::vector<double> Curve(const std::vector<Score>& scores, Test test) {
  std::vector<double> curve;
  for (const Score& score : scores) {
    curve.push_back(test == Test::kBalanced ? score.balanced : score.fleet);
  }
  return curve;
}

// The mean of curves, of which one that ended early stays where it was.
std::vector<double> Mean(std::vector<std::vector<double>> curves) {
  size_t longest = 0;
  for (const auto& curve : curves) longest = std::max(longest, curve.size());
  std::vector<double> mean(longest, 0);
  for (auto& curve : curves) {
    curve.resize(longest, curve.back());
    for (size_t i = 0; i < longest; ++i) {
      mean[i] += curve[i] / static_cast<double>(curves.size());
    }
  }
  return mean;
}

}  // namespace

std::vector<double> LabelsOf(const std::vector<SeedResult>& seeds, const std::string& arm,
                             Test test) {
  std::vector<double> labels;
  for (const SeedResult& seed : seeds) {
    const double full = test == Test::kBalanced ? seed.full.balanced : seed.full.fleet;
    std::vector<std::vector<double>> curves;
    if (arm == "random") {
      for (const char* replicate : kRandomReplicates) {
        curves.push_back(Curve(seed.curves.at(replicate), test));
      }
    } else {
      curves.push_back(Curve(seed.curves.at(arm), test));
    }
    labels.push_back(LabelsTo(Mean(std::move(curves)), kTargetShare * full));
  }
  return labels;
}

double GeometricMean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

Ratio RatioOf(const std::vector<double>& ours, const std::vector<double>& theirs) {
  std::vector<double> ratios;
  for (size_t i = 0; i < ours.size(); ++i) ratios.push_back(ours[i] / theirs[i]);
  cloud::Rng rng(2000);
  std::vector<double> means;
  for (int i = 0; i < 4000; ++i) {
    std::vector<double> drawn;
    for (size_t k = 0; k < ratios.size(); ++k) drawn.push_back(ratios[rng.Below(ratios.size())]);
    means.push_back(GeometricMean(drawn));
  }
  std::sort(means.begin(), means.end());
  return {GeometricMean(ratios), means[means.size() * 25 / 1000], means[means.size() * 975 / 1000],
          *std::max_element(ratios.begin(), ratios.end())};
}

}  // namespace gleaner::bench
