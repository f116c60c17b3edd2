// What a run has chosen so far, and what it may still choose: unlabelled frames, each once, within
// quotas.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cloud/curate/strategy/pool.h"

namespace gleaner::cloud {

// At most so many picks of a run from one site, device and cluster of near-duplicates; 0: any
// number. A frame without a site, device or cluster is held by no quota of it.
struct Quotas {
  size_t site = 0, device = 0, cluster = 0;
};

struct Pick {
  size_t frame = 0;  // in the pool
  // The strategy's own measure, the larger the sooner, but for frames drawn at random: the chance
  // that this frame had.
  double score = 0;
  std::string reason;    // in words
  std::string strategy;  // the arm of the mix
};

class Chosen {
 public:
  // The pool must outlive it.
  Chosen(const Pool& pool, const Quotas& quotas);

  // Unlabelled, not chosen yet, and no quota is used up.
  bool Fits(size_t frame) const;
  // False, and nothing changes, where it doesn't fit.
  bool Take(size_t frame, double score, std::string reason);
  // Of the frame's near-duplicates (itself included) those that have a label or were chosen.
  size_t Seen(size_t frame) const;

  const std::vector<Pick>& picks() const { return picks_; }
  std::vector<Pick>& picks() { return picks_; }
  // Frames that were asked for and that a quota kept out.
  size_t refused_by_quota() const { return refused_; }

 private:
  bool WithinQuotas(const PoolFrame& frame) const;

  const Pool& pool_;
  const Quotas quotas_;
  std::vector<bool> taken_;
  std::map<Word, size_t> sites_, devices_;
  std::map<uint64_t, size_t> clusters_;       // picks
  std::map<uint64_t, size_t> seen_clusters_;  // picks and labels
  std::vector<Pick> picks_;
  size_t refused_ = 0;
};

}  // namespace gleaner::cloud
