#include "cloud/curate/strategy/select.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace gleaner::cloud {
namespace {

constexpr double kLeastRandomShare = 0.01;

bool AlwaysThere(std::string_view strategy) {
  return strategy == kRandom || strategy == kRandomAfterDedup;
}

std::string AllNames() {
  std::string names;
  for (const StrategyEntry& entry : Strategies()) {
    if (!names.empty()) names += ", ";
    names += entry.name;
  }
  return names;
}

}  // namespace

absl::StatusOr<std::vector<Arm>> CompleteMix(std::vector<Arm> arms) {
  std::set<std::string, std::less<>> named;
  for (const Arm& arm : arms) {
    if (FindStrategy(arm.strategy) == nullptr) {
      return absl::InvalidArgumentError(fmt::format("there is no strategy '{}'; there are: {}",
                                                    arm.strategy.substr(0, 64), AllNames()));
    }
    if (!named.insert(arm.strategy).second) {
      return absl::InvalidArgumentError(
          fmt::format("strategy '{}' is in the mix twice", arm.strategy));
    }
    if (!std::isfinite(arm.share) || arm.share <= 0 || arm.share > 1e6) {
      return absl::InvalidArgumentError(fmt::format(
          "the share of '{}' is {}; a share is above 0{}", arm.strategy, arm.share,
          AlwaysThere(arm.strategy) ? ", and every selection has an arm of this one" : ""));
    }
  }
  const bool chosen = std::any_of(arms.begin(), arms.end(),
                                  [](const Arm& arm) { return !AlwaysThere(arm.strategy); });
  // Shares of random arms that were named without any other are shares of the whole.
  if (!chosen) {
    double random = 0;
    for (const Arm& arm : arms) random += arm.share;
    if (named.size() < 2) {
      const double rest =
          1 - random - (2 - static_cast<double>(named.size())) * kDefaultRandomShare;
      if (rest > 0) arms.push_back({std::string(kHybrid), rest});
    }
  }
  double total = 0;
  for (const Arm& arm : arms) total += arm.share;
  double missing = 0;
  for (const std::string_view always : {kRandom, kRandomAfterDedup}) {
    if (!named.contains(always)) missing += kDefaultRandomShare;
  }
  for (Arm& arm : arms) arm.share *= (1 - missing) / total;
  for (const std::string_view always : {kRandom, kRandomAfterDedup}) {
    if (!named.contains(always)) arms.push_back({std::string(always), kDefaultRandomShare});
  }
  for (const Arm& arm : arms) {
    if (AlwaysThere(arm.strategy) && arm.share < kLeastRandomShare - 1e-9) {
      return absl::InvalidArgumentError(
          fmt::format("the share of '{}' is {:.4f} of the whole; it is at least {}", arm.strategy,
                      arm.share, kLeastRandomShare));
    }
  }
  return arms;
}

absl::StatusOr<std::vector<size_t>> SharesOfBudget(const std::vector<Arm>& arms, size_t budget) {
  if (budget < arms.size() || budget > kMaxBudget) {
    return absl::InvalidArgumentError(fmt::format(
        "the budget is {}; it is at least {}, one for each arm of the mix, and at most {}", budget,
        arms.size(), kMaxBudget));
  }
  std::vector<size_t> frames(arms.size());
  std::vector<std::pair<double, size_t>> remainders;
  size_t given = 0;
  for (size_t i = 0; i < arms.size(); ++i) {
    const double exact = arms[i].share * static_cast<double>(budget);
    frames[i] = std::max<size_t>(1, static_cast<size_t>(exact));
    remainders.emplace_back(exact - static_cast<double>(frames[i]), i);
    given += frames[i];
  }
  std::stable_sort(remainders.begin(), remainders.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (size_t i = 0; given < budget; i = (i + 1) % remainders.size(), ++given) {
    ++frames[remainders[i].second];
  }
  while (given > budget) {  // the ones that got one for nothing cost the largest one
    --*std::max_element(frames.begin(), frames.end());
    --given;
  }
  return frames;
}

absl::StatusOr<Selection> Select(const Pool& pool, const SelectionOrder& order,
                                 std::stop_token stop, size_t threads) {
  if (pool.frames.size() > Pool::kMaxFrames) {
    return absl::InvalidArgumentError(fmt::format("{} frames are more than the {} of a pool",
                                                  pool.frames.size(), Pool::kMaxFrames));
  }
  auto frames = SharesOfBudget(order.arms, order.budget);
  if (!frames.ok()) return frames.status();
  Chosen chosen(pool, order.quotas);
  Selection selection;
  size_t unfilled = 0;
  const auto pick = [&](std::string_view strategy, std::string_view arm,
                        size_t budget) -> absl::Status {
    const size_t before = chosen.picks().size();
    Rng rng = Rng::For(order.seed, arm);
    Choosing choosing{rng, stop, threads};
    const absl::Status status = FindStrategy(strategy)->get().Pick(pool, budget, choosing, chosen);
    if (!status.ok()) return status;
    for (size_t i = before; i < chosen.picks().size(); ++i) {
      chosen.picks()[i].strategy = strategy;
    }
    const size_t got = chosen.picks().size() - before;
    if (got < budget) {
      unfilled += budget - got;
      selection.notes.push_back(
          fmt::format("{} found {} of the {} frames of its share", strategy, got, budget));
    }
    return absl::OkStatus();
  };
  for (const bool always : {true, false}) {
    for (size_t i = 0; i < order.arms.size(); ++i) {
      const std::string& strategy = order.arms[i].strategy;
      if (AlwaysThere(strategy) != always) continue;
      if (absl::Status status = pick(strategy, strategy, (*frames)[i]); !status.ok()) return status;
    }
  }
  if (unfilled > 0) {
    const size_t wanted = unfilled;
    if (absl::Status status = pick(kRandomAfterDedup, "what is left", wanted); !status.ok()) {
      return status;
    }
  }
  if (chosen.picks().size() < order.budget) {
    selection.notes.push_back(fmt::format(
        "{} of {} frames were chosen: no others are without a label{}", chosen.picks().size(),
        order.budget, chosen.refused_by_quota() > 0 ? " and within the quotas" : ""));
  }
  selection.picks = std::move(chosen.picks());
  return selection;
}

}  // namespace gleaner::cloud
