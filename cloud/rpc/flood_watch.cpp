#include "cloud/rpc/flood_watch.h"

namespace gleaner::cloud {

std::vector<FloodWatch::Id> FloodWatch::moving() const {
  std::vector<Id> ids;
  ids.reserve(moving_.size());
  for (const auto& [id, moving] : moving_) ids.push_back(id);
  return ids;
}

FloodWatch::Verdict FloodWatch::Judge(uint64_t resident_bytes) {
  Verdict verdict;
  uint64_t held = 0, most_stray = 0;
  std::optional<Id> strayest;
  for (auto& [id, moving] : moving_) {
    const Intake& intake = *moving.intake;
    held += intake.held_bytes();
    if (intake.stray_bytes() > most_stray) {
      most_stray = intake.stray_bytes();
      strayest = id;
    }
    if (intake.held_bytes() > limits_.held_bytes) verdict.flood = id;
    moving.still_looks = intake.moved() ? 0 : moving.still_looks + 1;
    if (moving.still_looks >= kStillLooks) verdict.still.push_back(id);
  }
  suspicious_ = most_stray > limits_.suspicious_bytes;
  if (!suspicious_) calm_bytes_ = resident_bytes;
  // Twice: a buffer that grows is there twice for a moment.
  const bool unexplained = resident_bytes > calm_bytes_ + limits_.growth_bytes + 2 * held;
  if (most_stray > limits_.stray_bytes || (suspicious_ && unexplained)) verdict.flood = strayest;
  for (const Id id : verdict.still) moving_.erase(id);
  return verdict;
}

}  // namespace gleaner::cloud
