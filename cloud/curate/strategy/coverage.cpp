// TypiClust (Hacohen, Dekel, Weinshall 2022): as many groups as there will be labels, and of each
// that has none yet its most typical frame, the largest group first. Good while labels are few.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <queue>

#include "cloud/curate/strategy/dedup.h"
#include "cloud/curate/strategy/kmeans.h"
#include "cloud/curate/strategy/strategy.h"
#include "cloud/curate/strategy/vectors.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxGroups = 500;
constexpr size_t kNeighbours = 20;
// Of a large group so many stand for all where neighbours are looked for.
constexpr size_t kMaxCompared = 1000;

// 1 / the mean distance to the nearest neighbours in the group.
std::vector<double> Typicality(const Pool& pool, const std::vector<size_t>& members,
                               Choosing& choosing) {
  const size_t size = pool.dimensions;
  std::vector<size_t> compared = members;
  if (compared.size() > kMaxCompared) {
    choosing.rng.Shuffle(compared);
    compared.resize(kMaxCompared);
  }
  std::vector<float> rows(compared.size() * size);
  for (size_t i = 0; i < compared.size(); ++i) {
    std::memcpy(&rows[i * size], pool.Embedding(compared[i]), size * sizeof(float));
  }
  std::vector<double> typicality(members.size());
  InParallel(
      members.size(), members.size() < 200 ? 1 : choosing.threads, [&](size_t from, size_t to) {
        std::vector<float> likeness(compared.size());
        for (size_t i = from; i < to; ++i) {
          if (choosing.stop.stop_requested()) return;
          DotEach(pool.Embedding(members[i]), rows.data(), compared.size(), size, likeness.data());
          // The frame itself is the nearest of all where it is compared.
          const size_t near = std::min(kNeighbours + 1, likeness.size());
          std::partial_sort(likeness.begin(), likeness.begin() + near, likeness.end(),
                            std::greater<>());
          double sum = 0;
          for (size_t n = 1; n < near; ++n) {
            sum += std::sqrt(std::max(0.0, 2.0 - 2.0 * likeness[n]));
          }
          typicality[i] = near < 2 ? 0 : static_cast<double>(near - 1) / (sum + 1e-6);
        }
      });
  return typicality;
}

struct Group {
  std::vector<size_t> open;        // frames that may be chosen
  std::vector<size_t> members;     // all
  std::vector<double> typicality;  // of open, once it is sorted by it, the best last
  size_t labels = 0;               // and picks
  bool sorted = false;
};

class Coverage : public Strategy {
 public:
  absl::Status Pick(const Pool& pool, size_t budget, Choosing& choosing,
                    Chosen& chosen) const override {
    if (budget == 0) return absl::OkStatus();
    const size_t before = chosen.picks().size();
    // What stands for its cluster; a cluster that has labels is stood for by those.
    std::vector<size_t> frames;
    std::vector<bool> seen;
    size_t labels = 0;
    for (const size_t frame : Representatives(pool)) {
      if (!pool.HasEmbedding(frame)) continue;
      frames.push_back(frame);
      seen.push_back(chosen.Seen(frame) > 0);
      labels += seen.back() ? 1 : 0;
    }
    if (frames.empty()) {
      return absl::FailedPreconditionError(fmt::format(
          "coverage needs embeddings, and none of the {} frames has one; name an embedding model "
          "in the configuration, or choose at random",
          pool.frames.size()));
    }
    std::vector<float> points(frames.size() * pool.dimensions);
    for (size_t i = 0; i < frames.size(); ++i) {
      std::memcpy(&points[i * pool.dimensions], pool.Embedding(frames[i]),
                  pool.dimensions * sizeof(float));
    }
    const size_t wanted = std::min({labels + budget, kMaxGroups, frames.size()});
    auto grouped = GroupByLikeness(points, pool.dimensions, wanted, choosing);
    if (!grouped.ok()) return grouped.status();
    std::vector<Group> groups(wanted);
    for (size_t i = 0; i < frames.size(); ++i) {
      Group& group = groups[(*grouped)[i]];
      group.members.push_back(frames[i]);
      if (seen[i]) {
        ++group.labels;
      } else if (chosen.Fits(frames[i])) {
        group.open.push_back(frames[i]);
      }
    }
    if (absl::Status status = PickByGroup(pool, groups, budget, choosing, chosen); !status.ok()) {
      return status;
    }
    // Every cluster has a label: a second of some, at random.
    const size_t left = budget - (chosen.picks().size() - before);
    return left == 0 ? absl::OkStatus()
                     : RandomAfterDedupStrategy().Pick(pool, left, choosing, chosen);
  }

 private:
  static absl::Status PickByGroup(const Pool& pool, std::vector<Group>& groups, size_t budget,
                                  Choosing& choosing, Chosen& chosen) {
    // The fewest labels first, then the largest, then the first.
    const auto later = [&](size_t a, size_t b) {
      if (groups[a].labels != groups[b].labels) return groups[a].labels > groups[b].labels;
      if (groups[a].members.size() != groups[b].members.size()) {
        return groups[a].members.size() < groups[b].members.size();
      }
      return a > b;
    };
    std::priority_queue<size_t, std::vector<size_t>, decltype(later)> next(later);
    for (size_t i = 0; i < groups.size(); ++i) {
      if (!groups[i].open.empty()) next.push(i);
    }
    size_t taken = 0;
    while (taken < budget && !next.empty()) {
      const size_t number = next.top();
      next.pop();
      Group& group = groups[number];
      if (!group.sorted) Sort(pool, group, choosing);
      if (choosing.stop.stop_requested()) return absl::CancelledError("choosing was stopped");
      const size_t frame = group.open.back();
      const double typicality = group.typicality.back();
      group.open.pop_back();
      group.typicality.pop_back();
      const std::string reason =
          group.members.size() == 1 ? "like nothing else, and without a label"
          : group.labels == 0
              ? fmt::format("the most typical of {} alike, none of which has a label",
                            group.members.size())
              : fmt::format("the most typical left of {} alike, of which {} {} seen",
                            group.members.size(), group.labels, group.labels == 1 ? "was" : "were");
      if (chosen.Take(frame, typicality, reason)) {
        ++taken;
        ++group.labels;
      }
      if (!group.open.empty()) next.push(number);
    }
    return absl::OkStatus();
  }

  static void Sort(const Pool& pool, Group& group, Choosing& choosing) {
    const std::vector<double> all = Typicality(pool, group.members, choosing);
    std::map<size_t, double> of;
    for (size_t i = 0; i < all.size(); ++i) of[group.members[i]] = all[i];
    std::sort(group.open.begin(), group.open.end(), [&](size_t a, size_t b) {
      if (of[a] != of[b]) return of[a] < of[b];
      return pool.frames[a].id > pool.frames[b].id;
    });
    for (const size_t frame : group.open) group.typicality.push_back(of[frame]);
    group.sorted = true;
  }
};

}  // namespace

const Strategy& CoverageStrategy() {
  static const Coverage strategy;
  return strategy;
}

}  // namespace gleaner::cloud
