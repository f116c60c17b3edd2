// What the spool holds, in memory: enough to choose the next clip to upload or to evict, and to
// free its blocks, without a query. Built from the ledger at start and changed after each commit;
// the ledger is the truth.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/digest.h"
#include "common/limits.h"
#include "edge/spool/block_map.h"
#include "edge/spool/ledger_rows.h"

namespace gleaner::edge {

struct HeldClip {
  RowId id = 0;
  uint32_t priority = 0;
  Moment at;  // of its commit, or of its quarantine
  Sha256Digest manifest_sha256{};
  uint64_t bytes = 0;         // manifest and objects
  uint64_t ledger_bytes = 0;  // of these and of their rows, in the ledger
  std::vector<BlockRun> runs;
  bool handed_out = false;
};

// Not thread-safe.
class ClipIndex {
 public:
  // Clips that wait for their upload.
  void Add(HeldClip clip);
  HeldClip* Find(RowId id);
  HeldClip Take(RowId id);
  const std::map<RowId, HeldClip>& pending() const { return pending_; }
  uint64_t pending_bytes() const { return pending_bytes_; }

  // The most valuable, then oldest for which `wanted` is true.
  std::optional<RowId> MostValuable(const std::function<bool(RowId)>& wanted) const;
  // The least valuable, then oldest that isn't handed out, is worth no more than `priority`, and
  // where `with_blocks` owns some.
  std::optional<RowId> LeastValuable(uint32_t priority, bool with_blocks) const;

  // Clips that wait for a person.
  void AddQuarantined(HeldClip clip);
  HeldClip TakeQuarantined(RowId id);
  const std::map<RowId, HeldClip>& quarantined() const { return quarantined_; }
  uint64_t quarantined_blocks() const { return quarantined_blocks_; }
  uint64_t quarantined_ledger_bytes() const { return quarantined_ledger_bytes_; }

 private:
  std::map<RowId, HeldClip> pending_;
  std::array<std::set<RowId>, kMaxPriority + 1> by_priority_;
  uint64_t pending_bytes_ = 0;
  std::map<RowId, HeldClip> quarantined_;
  uint64_t quarantined_blocks_ = 0;
  uint64_t quarantined_ledger_bytes_ = 0;
};

}  // namespace gleaner::edge
