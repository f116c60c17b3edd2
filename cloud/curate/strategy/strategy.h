// One way to choose which frames are worth a label. A strategy is a file of this folder and a line
// in registry.cpp.
#pragma once

#include <stop_token>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cloud/curate/strategy/chosen.h"
#include "cloud/curate/strategy/pool.h"
#include "cloud/curate/strategy/rng.h"

namespace gleaner::cloud {

struct Choosing {
  Rng& rng;
  std::stop_token stop;  // then Pick returns CANCELLED soon
  size_t threads = 2;    // at most; the picks don't depend on it
};

class Strategy {
 public:
  virtual ~Strategy() = default;
  // Chooses up to `budget` frames more, with a score and a reason in words, the best first; fewer
  // where no more fit. The same for the same pool, seed and what was chosen before.
  // FAILED_PRECONDITION says what the pool doesn't have that this needs.
  virtual absl::Status Pick(const Pool& pool, size_t budget, Choosing& choosing,
                            Chosen& chosen) const = 0;
};

struct StrategyEntry {
  std::string_view name;
  std::string_view summary;  // for people
  const Strategy& (*get)();
};

// In the order in which people should read them.
const std::vector<StrategyEntry>& Strategies();
// Null where there is none of that name.
const StrategyEntry* FindStrategy(std::string_view name);

// The two that every run has an arm of.
inline constexpr std::string_view kRandom = "random";
inline constexpr std::string_view kRandomAfterDedup = "random_after_dedup";
inline constexpr std::string_view kHybrid = "hybrid";

// --- each in the file of its name

const Strategy& RandomStrategy();
const Strategy& RandomAfterDedupStrategy();
const Strategy& MarginStrategy();   // uncertainty.cpp
const Strategy& EntropyStrategy();  // uncertainty.cpp
const Strategy& CoverageStrategy();
const Strategy& HybridStrategy();
const Strategy& ErrorBucketsStrategy();
const Strategy& ClassBalanceStrategy();
const Strategy& NoveltyStrategy();

}  // namespace gleaner::cloud
