#include "edge/spool/block_map.h"

#include <algorithm>
#include <cassert>

namespace gleaner::edge {

void AppendBlock(std::vector<BlockRun>& runs, uint32_t block) {
  if (!runs.empty() && runs.back().first + runs.back().count == block) {
    ++runs.back().count;
  } else {
    runs.push_back({block, 1});
  }
}

std::vector<uint32_t> ExpandRuns(std::span<const BlockRun> runs) {
  std::vector<uint32_t> blocks;
  blocks.reserve(CountBlocks(runs));
  for (const BlockRun& run : runs) {
    for (uint32_t i = 0; i < run.count; ++i) blocks.push_back(run.first + i);
  }
  return blocks;
}

std::vector<BlockRun> CollectRuns(std::span<const uint32_t> blocks) {
  std::vector<BlockRun> runs;
  for (const uint32_t block : blocks) AppendBlock(runs, block);
  return runs;
}

uint64_t CountBlocks(std::span<const BlockRun> runs) {
  uint64_t count = 0;
  for (const BlockRun& run : runs) count += run.count;
  return count;
}

std::optional<uint32_t> BlockMap::Allocate() {
  while (lowest_free_ < size() && taken_[lowest_free_]) ++lowest_free_;
  if (lowest_free_ == size()) return std::nullopt;
  taken_[lowest_free_] = true;
  ++used_;
  return lowest_free_++;
}

bool BlockMap::Claim(const BlockRun& run) {
  if (uint64_t{run.first} + run.count > size()) return false;
  const auto begin = taken_.begin() + run.first;
  if (std::find(begin, begin + run.count, true) != begin + run.count) return false;
  std::fill(begin, begin + run.count, true);
  used_ += run.count;
  return true;
}

void BlockMap::Free(std::span<const BlockRun> runs) {
  for (const BlockRun& run : runs) {
    for (uint32_t i = run.first; i < run.first + run.count; ++i) {
      assert(taken_[i]);
      taken_[i] = false;
    }
    used_ -= run.count;
    lowest_free_ = std::min(lowest_free_, run.first);
  }
}

uint32_t BlockMap::End() const {
  uint32_t end = size();
  while (end > 0 && !taken_[end - 1]) --end;
  return end;
}

void BlockMap::Resize(uint32_t blocks) {
  assert(blocks >= End());
  taken_.resize(blocks, false);
  lowest_free_ = std::min(lowest_free_, blocks);
}

}  // namespace gleaner::edge
