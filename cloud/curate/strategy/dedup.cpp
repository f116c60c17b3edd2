#include "cloud/curate/strategy/dedup.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cloud/curate/strategy/vectors.h"

namespace gleaner::cloud {
namespace {

size_t MiddleByTime(const Pool& pool, std::vector<size_t> members) {
  std::sort(members.begin(), members.end(), [&](size_t a, size_t b) {
    const PoolFrame &one = pool.frames[a], &other = pool.frames[b];
    return one.taken_ns != other.taken_ns ? one.taken_ns < other.taken_ns : one.id < other.id;
  });
  return members[members.size() / 2];
}

size_t NearestToMean(const Pool& pool, const std::vector<size_t>& members) {
  std::vector<float> mean(pool.dimensions, 0);
  size_t known = 0;
  for (const size_t member : members) {
    if (!pool.HasEmbedding(member)) continue;
    Add(pool.Embedding(member), mean.size(), mean.data());
    ++known;
  }
  if (known == 0) return MiddleByTime(pool, members);
  size_t best = members.front();
  float best_likeness = -1e30F;
  for (const size_t member : members) {
    if (!pool.HasEmbedding(member)) continue;
    const float likeness = Dot(mean.data(), pool.Embedding(member), mean.size());
    if (likeness > best_likeness ||
        (likeness == best_likeness && pool.frames[member].id < pool.frames[best].id)) {
      best = member;
      best_likeness = likeness;
    }
  }
  return best;
}

}  // namespace

std::vector<size_t> Representatives(const Pool& pool) {
  std::map<uint64_t, std::vector<size_t>> clusters;
  std::vector<size_t> all;
  for (size_t i = 0; i < pool.frames.size(); ++i) {
    if (pool.frames[i].cluster == 0) {
      all.push_back(i);
    } else {
      clusters[pool.frames[i].cluster].push_back(i);
    }
  }
  for (const auto& [cluster, members] : clusters) {
    all.push_back(members.size() == 1       ? members.front()
                  : pool.embeddings.empty() ? MiddleByTime(pool, members)
                                            : NearestToMean(pool, members));
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<size_t> FreshOf(const std::vector<size_t>& representatives, const Chosen& chosen) {
  std::vector<size_t> fresh;
  for (const size_t frame : representatives) {
    if (chosen.Fits(frame) && chosen.Seen(frame) == 0) fresh.push_back(frame);
  }
  return fresh;
}

std::vector<size_t> StaleOf(const Pool& pool, const Chosen& chosen) {
  std::vector<size_t> stale;
  for (size_t i = 0; i < pool.frames.size(); ++i) {
    if (chosen.Fits(i) && chosen.Seen(i) != 0) stale.push_back(i);
  }
  return stale;
}

std::string Ordinal(size_t n) {
  const size_t ten = n % 100;
  const char* end = ten >= 11 && ten <= 13 ? "th"
                    : n % 10 == 1          ? "st"
                    : n % 10 == 2          ? "nd"
                    : n % 10 == 3          ? "rd"
                                           : "th";
  return fmt::format("{}{}", n, end);
}

std::string WhichOfCluster(const Pool& pool, const Chosen& chosen, size_t frame) {
  if (pool.frames[frame].cluster == 0) return "";
  const size_t seen = chosen.Seen(frame);
  return seen == 0 ? "" : fmt::format("{} of its cluster", Ordinal(seen + 1));
}

}  // namespace gleaner::cloud
