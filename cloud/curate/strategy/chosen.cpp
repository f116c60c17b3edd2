#include "cloud/curate/strategy/chosen.h"

#include <utility>

namespace gleaner::cloud {
namespace {

template <typename Key>
bool UsedUp(const std::map<Key, size_t>& used, Key key, size_t quota) {
  if (quota == 0) return false;
  const auto found = used.find(key);
  return found != used.end() && found->second >= quota;
}

}  // namespace

Chosen::Chosen(const Pool& pool, const Quotas& quotas)
    : pool_(pool), quotas_(quotas), taken_(pool.frames.size()) {
  for (const PoolFrame& frame : pool.frames) {
    if (frame.labelled && frame.cluster != 0) ++seen_clusters_[frame.cluster];
  }
}

bool Chosen::WithinQuotas(const PoolFrame& frame) const {
  return !(frame.site != kNoWord && UsedUp(sites_, frame.site, quotas_.site)) &&
         !(frame.device != kNoWord && UsedUp(devices_, frame.device, quotas_.device)) &&
         !(frame.cluster != 0 && UsedUp(clusters_, frame.cluster, quotas_.cluster));
}

bool Chosen::Fits(size_t frame) const {
  return !pool_.frames[frame].labelled && !taken_[frame] && WithinQuotas(pool_.frames[frame]);
}

bool Chosen::Take(size_t frame, double score, std::string reason) {
  const PoolFrame& what = pool_.frames[frame];
  if (what.labelled || taken_[frame]) return false;
  if (!WithinQuotas(what)) {
    ++refused_;
    return false;
  }
  taken_[frame] = true;
  ++sites_[what.site];
  ++devices_[what.device];
  if (what.cluster != 0) {
    ++clusters_[what.cluster];
    ++seen_clusters_[what.cluster];
  }
  picks_.push_back({.frame = frame, .score = score, .reason = std::move(reason)});
  return true;
}

size_t Chosen::Seen(size_t frame) const {
  const PoolFrame& what = pool_.frames[frame];
  if (what.cluster == 0) return what.labelled || taken_[frame] ? 1 : 0;
  const auto found = seen_clusters_.find(what.cluster);
  return found == seen_clusters_.end() ? 0 : found->second;
}

}  // namespace gleaner::cloud
