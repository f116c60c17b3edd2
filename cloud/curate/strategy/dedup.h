// One frame of each cluster of near-duplicates: people learn nothing from a second look at the same
// moment.
#pragma once

#include <string>
#include <vector>

#include "cloud/curate/strategy/chosen.h"
#include "cloud/curate/strategy/pool.h"

namespace gleaner::cloud {

// Of each cluster the frame that stands for it: the one nearest to its cluster's mean embedding,
// where there are embeddings, or else the one in the middle by time. Frames without a cluster stand
// for themselves. In the pool's order. Costs one pass over the embeddings.
std::vector<size_t> Representatives(const Pool& pool);

// Those of `representatives` of which neither itself nor a near-duplicate has a label or was
// chosen, and that fit.
std::vector<size_t> FreshOf(const std::vector<size_t>& representatives, const Chosen& chosen);
// Every frame that fits and isn't fresh: for when no fresh ones are left.
std::vector<size_t> StaleOf(const Pool& pool, const Chosen& chosen);

// "3rd of its cluster"; "" for the first, or where it is alone.
std::string WhichOfCluster(const Pool& pool, const Chosen& chosen, size_t frame);
// "1st", "2nd", "13th"
std::string Ordinal(size_t n);

}  // namespace gleaner::cloud
