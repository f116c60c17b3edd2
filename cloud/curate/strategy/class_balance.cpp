// The class with the fewest labels first, as far as the model's predictions tell classes.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "cloud/curate/strategy/dedup.h"
#include "cloud/curate/strategy/strategy.h"

namespace gleaner::cloud {
namespace {

class ClassBalance : public Strategy {
 public:
  absl::Status Pick(const Pool& pool, size_t budget, Choosing& choosing,
                    Chosen& chosen) const override {
    if (std::none_of(pool.frames.begin(), pool.frames.end(),
                     [](const PoolFrame& frame) { return frame.guess.known(); })) {
      return absl::FailedPreconditionError(fmt::format(
          "class_balance needs a model's predictions, and none of the {} frames has one",
          pool.frames.size()));
    }
    std::map<Word, size_t> labels;
    for (const PoolFrame& frame : pool.frames) {
      if (frame.labelled && frame.label != kNoWord) ++labels[frame.label];
    }
    std::vector<size_t> fresh = FreshOf(Representatives(pool), chosen);
    choosing.rng.Shuffle(fresh);
    std::map<Word, std::vector<size_t>> predicted;  // the last is the next
    for (const size_t frame : fresh) {
      if (pool.frames[frame].guess.known())
        predicted[pool.frames[frame].guess.first].push_back(frame);
    }
    // By labels, and then by name: the numbers of words depend on who came first.
    std::set<std::tuple<size_t, std::string, Word>> order;
    for (const auto& [word, frames] : predicted) {
      order.emplace(labels[word], pool.words[word], word);
    }
    size_t taken = 0;
    while (taken < budget && !order.empty()) {
      auto [have, name, word] = *order.begin();
      order.erase(order.begin());
      std::vector<size_t>& frames = predicted[word];
      const size_t frame = frames.back();
      frames.pop_back();
      if (chosen.Seen(frame) == 0 &&
          chosen.Take(
              frame, -static_cast<double>(have),
              fmt::format("predicted {} ({:.2f}), of which there {} {} {} so far", name,
                          pool.frames[frame].guess.first_confidence, have == 1 ? "is" : "are", have,
                          have == 1 ? "label or pick" : "labels and picks"))) {
        ++taken;
        ++have;
      }
      if (!frames.empty()) order.emplace(have, name, word);
    }
    return absl::OkStatus();
  }
};

}  // namespace

const Strategy& ClassBalanceStrategy() {
  static const ClassBalance strategy;
  return strategy;
}

}  // namespace gleaner::cloud
