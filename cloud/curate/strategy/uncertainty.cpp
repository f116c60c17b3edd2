// Where the model doubts, one frame of each cluster of near-duplicates (Scheffer 2001 for the
// margin; entropy did harm in our own measurements, and is there to compare).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cloud/curate/strategy/dedup.h"
#include "cloud/curate/strategy/strategy.h"

namespace gleaner::cloud {
namespace {

float Entropy(const Guess& guess) {
  if (guess.entropy >= 0) return guess.entropy;
  // Two answers are known; what is left counts as a third.
  float sum = 0;
  const float rest = std::max(0.0F, 1 - guess.first_confidence - guess.second_confidence);
  for (const float share : {guess.first_confidence, guess.second_confidence, rest}) {
    if (share > 0) sum -= share * std::log(share);
  }
  return sum;
}

class Uncertainty : public Strategy {
 public:
  explicit Uncertainty(bool by_margin) : by_margin_(by_margin) {}

  absl::Status Pick(const Pool& pool, size_t budget, Choosing& choosing,
                    Chosen& chosen) const override {
    const bool any = std::any_of(pool.frames.begin(), pool.frames.end(),
                                 [](const PoolFrame& frame) { return frame.guess.known(); });
    if (!any) {
      return absl::FailedPreconditionError(fmt::format(
          "{} needs a model's predictions, and none of the {} frames has one; name a model that "
          "has predicted, or choose by coverage",
          by_margin_ ? "margin" : "entropy", pool.frames.size()));
    }
    const size_t before = chosen.picks().size();
    PickFrom(pool, FreshOf(Representatives(pool), chosen), budget, choosing, chosen);
    const size_t left = budget - (chosen.picks().size() - before);
    if (left > 0) PickFrom(pool, StaleOf(pool, chosen), left, choosing, chosen);
    return absl::OkStatus();
  }

 private:
  float Doubt(const Guess& guess) const { return by_margin_ ? -guess.margin() : Entropy(guess); }

  std::string Reason(const Pool& pool, const Chosen& chosen, size_t frame) const {
    const Guess& guess = pool.frames[frame].guess;
    const std::string& first = pool.words[guess.first];
    const std::string& second = pool.words[guess.second];
    std::string reason = by_margin_ ? fmt::format("margin {:.2f} between {} and {}", guess.margin(),
                                                  first, second.empty() ? "anything else" : second)
                                    : fmt::format("entropy {:.2f}; most likely {} ({:.2f})",
                                                  Entropy(guess), first, guess.first_confidence);
    const std::string which = WhichOfCluster(pool, chosen, frame);
    return which.empty() ? reason : reason + "; " + which;
  }

  void PickFrom(const Pool& pool, std::vector<size_t> from, size_t budget, Choosing&,
                Chosen& chosen) const {
    std::erase_if(from, [&](size_t frame) { return !pool.frames[frame].guess.known(); });
    std::sort(from.begin(), from.end(), [&](size_t a, size_t b) {
      const float one = Doubt(pool.frames[a].guess), other = Doubt(pool.frames[b].guess);
      return one != other ? one > other : pool.frames[a].id < pool.frames[b].id;
    });
    size_t taken = 0;
    for (const size_t frame : from) {
      if (taken == budget) break;
      if (chosen.Take(frame, Doubt(pool.frames[frame].guess), Reason(pool, chosen, frame))) {
        ++taken;
      }
    }
  }

  const bool by_margin_;
};

}  // namespace

const Strategy& MarginStrategy() {
  static const Uncertainty strategy(true);
  return strategy;
}

const Strategy& EntropyStrategy() {
  static const Uncertainty strategy(false);
  return strategy;
}

}  // namespace gleaner::cloud
