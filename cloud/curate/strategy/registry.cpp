#include <algorithm>

#include "cloud/curate/strategy/strategy.h"

namespace gleaner::cloud {

const std::vector<StrategyEntry>& Strategies() {
  static const std::vector<StrategyEntry> all = {
      {kHybrid, "coverage until there are about 200 labels, then margin; the default",
       HybridStrategy},
      {"coverage", "the most typical of what has no label yet (TypiClust)", CoverageStrategy},
      {"margin", "where the model's two best answers are closest", MarginStrategy},
      {"entropy", "where the model's answers are spread most", EntropyStrategy},
      {"error_buckets", "more of where reviewers corrected most", ErrorBucketsStrategy},
      {"class_balance", "of predicted classes with the fewest labels", ClassBalanceStrategy},
      {"novelty", "what is farthest from all that has a label", NoveltyStrategy},
      {kRandomAfterDedup, "at random, one of each cluster of near-duplicates",
       RandomAfterDedupStrategy},
      {kRandom, "at random, of all", RandomStrategy},
  };
  return all;
}

const StrategyEntry* FindStrategy(std::string_view name) {
  const auto& all = Strategies();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const StrategyEntry& entry) { return entry.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace gleaner::cloud
