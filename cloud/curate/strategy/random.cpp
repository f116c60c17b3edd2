// Chance: what the other strategies are measured against, and what an honest estimate needs.
#include <fmt/format.h>

#include "cloud/curate/strategy/dedup.h"
#include "cloud/curate/strategy/strategy.h"

namespace gleaner::cloud {
namespace {

void Draw(std::vector<size_t> from, size_t budget, std::string_view of, const Pool& pool,
          Choosing& choosing, Chosen& chosen) {
  choosing.rng.Shuffle(from);
  const double chance =
      from.empty() ? 0
                   : std::min(1.0, static_cast<double>(budget) / static_cast<double>(from.size()));
  size_t taken = 0;
  for (const size_t frame : from) {
    if (taken == budget) break;
    std::string reason = fmt::format("drawn at random from {} {}", from.size(), of);
    const std::string which = WhichOfCluster(pool, chosen, frame);
    if (!which.empty()) reason += "; " + which;
    if (chosen.Take(frame, chance, std::move(reason))) ++taken;
  }
}

class Random : public Strategy {
 public:
  absl::Status Pick(const Pool& pool, size_t budget, Choosing& choosing,
                    Chosen& chosen) const override {
    std::vector<size_t> all;
    for (size_t i = 0; i < pool.frames.size(); ++i) {
      if (chosen.Fits(i)) all.push_back(i);
    }
    Draw(std::move(all), budget, "frames without a label", pool, choosing, chosen);
    return absl::OkStatus();
  }
};

class RandomAfterDedup : public Strategy {
 public:
  absl::Status Pick(const Pool& pool, size_t budget, Choosing& choosing,
                    Chosen& chosen) const override {
    const size_t before = chosen.picks().size();
    Draw(FreshOf(Representatives(pool), chosen), budget, "frames that look like no labelled one",
         pool, choosing, chosen);
    const size_t left = budget - (chosen.picks().size() - before);
    if (left > 0) {
      Draw(StaleOf(pool, chosen), left, "near-duplicates of labelled frames", pool, choosing,
           chosen);
    }
    return absl::OkStatus();
  }
};

}  // namespace

const Strategy& RandomStrategy() {
  static const Random strategy;
  return strategy;
}

const Strategy& RandomAfterDedupStrategy() {
  static const RandomAfterDedup strategy;
  return strategy;
}

}  // namespace gleaner::cloud
