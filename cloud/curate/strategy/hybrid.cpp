// Coverage while labels are few, then margin, on deduplicated frames: the only one that was good in
// every pool that we measured (tests/bench/curation). A model that has seen few labels doubts the
// wrong things; a picture of everything is what it needs first.
#include <fmt/format.h>

#include <algorithm>

#include "cloud/curate/strategy/strategy.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kLabelsFirst = 200;

class Hybrid : public Strategy {
 public:
  absl::Status Pick(const Pool& pool, size_t budget, Choosing& choosing,
                    Chosen& chosen) const override {
    const size_t labels = pool.CountLabelled();
    const bool guesses = std::any_of(pool.frames.begin(), pool.frames.end(),
                                     [](const PoolFrame& frame) { return frame.guess.known(); });
    const bool likeness = !pool.embeddings.empty();
    size_t covering = labels >= kLabelsFirst ? 0 : std::min(budget, kLabelsFirst - labels);
    // What is left of the two is better than nothing, and each pick says which it was.
    if (!guesses) covering = budget;
    if (!likeness) covering = guesses && labels >= kLabelsFirst ? 0 : covering;
    const size_t before = chosen.picks().size();
    if (covering > 0) {
      const Strategy& first = likeness ? CoverageStrategy() : RandomAfterDedupStrategy();
      if (absl::Status status = first.Pick(pool, covering, choosing, chosen); !status.ok()) {
        return status;
      }
      for (size_t i = before; i < chosen.picks().size(); ++i) {
        std::string& reason = chosen.picks()[i].reason;
        if (!likeness) reason += " (no frame has an embedding)";
        if (!guesses && labels >= kLabelsFirst) reason += " (no model has predicted)";
      }
    }
    const size_t left = budget - (chosen.picks().size() - before);
    return left == 0 || !guesses ? absl::OkStatus()
                                 : MarginStrategy().Pick(pool, left, choosing, chosen);
  }
};

}  // namespace

const Strategy& HybridStrategy() {
  static const Hybrid strategy;
  return strategy;
}

}  // namespace gleaner::cloud
