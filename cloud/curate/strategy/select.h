// A selection: a budget, shared between strategies, within quotas.
//
// Every selection has an arm of random and one of random_after_dedup, of at least one frame each:
// without them nobody could say later whether the others were worth anything, and a test set would
// be made of what is odd. Both are drawn first, from all that may be drawn, so that what the other
// arms chose doesn't bend them. What an arm can't fill (there are no more frames of its kind) goes
// to random_after_dedup.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cloud/curate/strategy/strategy.h"

namespace gleaner::cloud {

struct Arm {
  std::string strategy;
  double share = 0;
};

inline constexpr size_t kMaxBudget = 10'000;
inline constexpr double kDefaultRandomShare = 0.05;

struct SelectionOrder {
  size_t budget = 0;
  std::vector<Arm> arms;  // as CompleteMix makes them
  Quotas quotas;
  uint64_t seed = 0;
};

// With the arms that every selection has, where they aren't named: 0.05 each, taken from the
// others; hybrid where no strategy is named. Shares are relative and sum up to 1 afterwards.
// INVALID_ARGUMENT for a strategy that there isn't, one that is named twice, a share that is none
// or too small for a random arm (under 1 %).
absl::StatusOr<std::vector<Arm>> CompleteMix(std::vector<Arm> arms);

// How many frames each arm gets: by largest remainders, at least one each. INVALID_ARGUMENT for a
// budget below the number of arms or above kMaxBudget.
absl::StatusOr<std::vector<size_t>> SharesOfBudget(const std::vector<Arm>& arms, size_t budget);

struct Selection {
  std::vector<Pick> picks;         // in the order in which they were chosen
  std::vector<std::string> notes;  // what couldn't be done as ordered, in words
};

// The same for the same pool and order. Errors as Strategy::Pick, with the strategy's name.
absl::StatusOr<Selection> Select(const Pool& pool, const SelectionOrder& order,
                                 std::stop_token stop = {}, size_t threads = 2);

}  // namespace gleaner::cloud
