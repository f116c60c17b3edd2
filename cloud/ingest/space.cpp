#include "cloud/ingest/space.h"

#include <fmt/format.h>

#include "common/status.h"

namespace gleaner::cloud {

Space::Hold& Space::Hold::operator=(Hold&& other) noexcept {
  if (this != &other) {
    GiveBack();
    space_ = std::exchange(other.space_, nullptr);
    device_ = std::move(other.device_);
    bytes_ = other.bytes_;
  }
  return *this;
}

void Space::Hold::GiveBack() {
  Space* const space = std::exchange(space_, nullptr);
  if (space == nullptr) return;
  std::lock_guard lock(space->mutex_);
  const auto held = space->held_.find(device_);
  held->second.bytes -= bytes_;
  if (--held->second.count == 0) space->held_.erase(held);
}

absl::StatusOr<Space::Hold> Space::Take(const std::string& device, uint64_t bytes) {
  UploadTotal before;
  {
    std::lock_guard lock(mutex_);
    UploadTotal& held = held_[device];
    before = held;
    ++held.count;
    held.bytes += bytes;
  }
  Hold hold(this, device, bytes);
  // Only now: what was in memory a moment ago and isn't any more is in the catalog by now.
  ASSIGN_OR_RETURN(UploadTotal total, uploads_.Sum(device));
  total.count += before.count;
  total.bytes += before.bytes;
  const bool too_many = total.count >= options_.uploads_per_device;
  const bool too_large = total.bytes > 0 && total.bytes + bytes > options_.reserved_per_device;
  if (!too_many && !too_large) return hold;
  return absl::ResourceExhaustedError(
      fmt::format("{} unfinished uploads of this device are kept already, and {} bytes for them or "
                  "not yet freed of earlier ones",
                  total.count, total.bytes));
}

}  // namespace gleaner::cloud
