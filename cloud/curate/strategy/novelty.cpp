// What looks least like anything that has a label: the frame whose nearest labelled or chosen frame
// is farthest away, again and again (k-center, Sener and Savarese 2018). It finds what the fleet
// has never shown, and broken pictures as well; it is no strategy to spend a whole budget on.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cloud/curate/strategy/dedup.h"
#include "cloud/curate/strategy/strategy.h"
#include "cloud/curate/strategy/vectors.h"

namespace gleaner::cloud {
namespace {

// More labelled frames than this, and as many drawn from them stand for all: 200,000 frames of 256
// against them are 2e11 operations, about 15 s on two cores.
constexpr size_t kMaxCompared = 2000;

class Novelty : public Strategy {
 public:
  absl::Status Pick(const Pool& pool, size_t budget, Choosing& choosing,
                    Chosen& chosen) const override {
    std::vector<size_t> fresh;
    for (const size_t frame : FreshOf(Representatives(pool), chosen)) {
      if (pool.HasEmbedding(frame)) fresh.push_back(frame);
    }
    if (pool.embeddings.empty()) {
      return absl::FailedPreconditionError(fmt::format(
          "novelty needs embeddings, and none of the {} frames has one", pool.frames.size()));
    }
    std::vector<size_t> known;
    for (size_t i = 0; i < pool.frames.size(); ++i) {
      if (pool.frames[i].labelled && pool.HasEmbedding(i)) known.push_back(i);
    }
    for (const gleaner::cloud::Pick& pick : chosen.picks()) {
      if (pool.HasEmbedding(pick.frame)) known.push_back(pick.frame);
    }
    const bool from_labels = !known.empty();
    if (known.size() > kMaxCompared) {
      choosing.rng.Shuffle(known);
      known.resize(kMaxCompared);
    }
    const size_t size = pool.dimensions;
    std::vector<float> nearest(fresh.size(), -2);  // likeness to the nearest known
    const auto compare = [&](const float* rows, size_t count) {
      InParallel(fresh.size(), choosing.threads, [&](size_t from, size_t to) {
        std::vector<float> likeness(count);
        for (size_t i = from; i < to; ++i) {
          if (i % 256 == 0 && choosing.stop.stop_requested()) return;
          DotEach(pool.Embedding(fresh[i]), rows, count, size, likeness.data());
          for (const float value : likeness) nearest[i] = std::max(nearest[i], value);
        }
      });
    };
    std::vector<float> rows;
    for (const size_t frame : known) {
      rows.insert(rows.end(), pool.Embedding(frame), pool.Embedding(frame) + size);
    }
    if (!known.empty()) compare(rows.data(), known.size());

    std::vector<bool> tried(fresh.size(), false);
    size_t taken = 0;
    for (size_t turn = 0; turn < fresh.size() && taken < budget; ++turn) {
      if (choosing.stop.stop_requested()) return absl::CancelledError("choosing was stopped");
      size_t best = fresh.size();
      for (size_t i = 0; i < fresh.size(); ++i) {
        if (tried[i]) continue;
        if (best == fresh.size() || nearest[i] < nearest[best] ||
            (nearest[i] == nearest[best] &&
             pool.frames[fresh[i]].id < pool.frames[fresh[best]].id)) {
          best = i;
        }
      }
      tried[best] = true;
      const double distance = std::sqrt(std::max(0.0, 2.0 - 2.0 * nearest[best]));
      const std::string reason =
          nearest[best] < -1.5
              ? "nothing has a label yet"
              : fmt::format("{:.2f} away from the nearest that {}", distance,
                            from_labels ? "has a label or was chosen" : "was chosen");
      if (chosen.Seen(fresh[best]) > 0 || !chosen.Take(fresh[best], distance, reason)) continue;
      ++taken;
      compare(pool.Embedding(fresh[best]), 1);
    }
    return absl::OkStatus();
  }
};

}  // namespace

const Strategy& NoveltyStrategy() {
  static const Novelty strategy;
  return strategy;
}

}  // namespace gleaner::cloud
