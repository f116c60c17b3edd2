// Which blocks of spool.blocks are taken. Lives in memory only: at start it is built from the rows
// of the ledger, so that a free block is, by definition, one that no row names.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace gleaner::edge {

// `count` blocks from `first` on.
struct BlockRun {
  uint32_t first = 0;
  uint32_t count = 0;

  bool operator==(const BlockRun&) const = default;
};

// Adds a block to the end of a list of runs.
void AppendBlock(std::vector<BlockRun>& runs, uint32_t block);
// The blocks that runs name, one by one; and back.
std::vector<uint32_t> ExpandRuns(std::span<const BlockRun> runs);
std::vector<BlockRun> CollectRuns(std::span<const uint32_t> blocks);
uint64_t CountBlocks(std::span<const BlockRun> runs);

// Not thread-safe.
class BlockMap {
 public:
  explicit BlockMap(uint32_t blocks) : taken_(blocks, false) {}

  uint32_t size() const { return static_cast<uint32_t>(taken_.size()); }
  uint32_t used() const { return used_; }

  // Takes the lowest free block: low blocks have been written before, and overwriting costs the
  // file system no change of its own; a long-unused tail can be given back. nullopt when all are
  // taken.
  std::optional<uint32_t> Allocate();
  // Takes all blocks of `run`. False, with nothing taken, if one lies outside the file or is taken
  // already.
  bool Claim(const BlockRun& run);
  void Free(std::span<const BlockRun> runs);
  // One past the highest block taken.
  uint32_t End() const;
  // Cuts or adds free blocks at the end. `blocks` ≥ End().
  void Resize(uint32_t blocks);

 private:
  std::vector<bool> taken_;
  uint32_t used_ = 0;
  uint32_t lowest_free_ = 0;  // no free block lies below
};

}  // namespace gleaner::edge
