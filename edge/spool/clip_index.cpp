#include "edge/spool/clip_index.h"

#include <utility>

namespace gleaner::edge {

void ClipIndex::Add(HeldClip clip) {
  pending_bytes_ += clip.bytes;
  by_priority_[clip.priority].insert(clip.id);
  pending_.emplace(clip.id, std::move(clip));
}

HeldClip* ClipIndex::Find(RowId id) {
  const auto found = pending_.find(id);
  return found == pending_.end() ? nullptr : &found->second;
}

HeldClip ClipIndex::Take(RowId id) {
  HeldClip clip = std::move(pending_.extract(id).mapped());
  by_priority_[clip.priority].erase(id);
  pending_bytes_ -= clip.bytes;
  return clip;
}

std::optional<RowId> ClipIndex::MostValuable(const std::function<bool(RowId)>& wanted) const {
  for (auto ids = by_priority_.rbegin(); ids != by_priority_.rend(); ++ids) {
    for (const RowId id : *ids) {
      if (wanted(id)) return id;
    }
  }
  return std::nullopt;
}

std::optional<RowId> ClipIndex::LeastValuable(uint32_t priority, bool with_blocks) const {
  for (uint32_t value = 0; value <= priority; ++value) {
    for (const RowId id : by_priority_[value]) {
      const HeldClip& clip = pending_.at(id);
      if (!clip.handed_out && !(with_blocks && clip.runs.empty())) return id;
    }
  }
  return std::nullopt;
}

void ClipIndex::AddQuarantined(HeldClip clip) {
  quarantined_blocks_ += CountBlocks(clip.runs);
  quarantined_ledger_bytes_ += clip.ledger_bytes;
  quarantined_.emplace(clip.id, std::move(clip));
}

HeldClip ClipIndex::TakeQuarantined(RowId id) {
  HeldClip clip = std::move(quarantined_.extract(id).mapped());
  quarantined_blocks_ -= CountBlocks(clip.runs);
  quarantined_ledger_bytes_ -= clip.ledger_bytes;
  return clip;
}

}  // namespace gleaner::edge
