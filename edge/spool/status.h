// `gleaner-edge status`: what a spool holds, read from its ledger alone, whether or not the daemon
// runs.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clip_key.h"
#include "common/clock.h"
#include "common/limits.h"

namespace gleaner::edge {

struct StatusReport {
  struct PerPriority {
    uint32_t clips = 0;
    uint64_t bytes = 0;
  };
  struct Quarantined {
    ClipKey key;
    std::string rule;
    std::string reason;
    uint64_t bytes = 0;
    int64_t since_wall_ns = 0;
  };

  std::string directory;
  uint64_t quota_bytes = 0;
  uint64_t used_bytes = 0;  // blocks in use
  uint64_t ledger_bytes = 0;
  uint64_t ledger_used_bytes = 0;  // manifests, small objects, tombstones
  uint32_t capturing = 0;
  uint32_t pending_clips = 0;
  uint64_t pending_bytes = 0;
  std::array<PerPriority, kMaxPriority + 1> pending_by_priority;
  // By the wall clock; 0 when nothing waits.
  uint64_t oldest_pending_s = 0;
  // Over the life of the spool.
  uint64_t committed_total = 0;
  uint64_t evicted_total = 0;
  uint64_t expired_total = 0;
  uint64_t suppressed_total = 0;
  uint64_t failed_total = 0;
  uint64_t quarantine_dropped_total = 0;
  uint64_t ledgers_set_aside = 0;
  std::vector<Quarantined> quarantined;  // oldest first
  uint64_t tombstones_unacknowledged = 0;
  // The newest boot and the highest number given out in it.
  BootId boot_id{};
  uint64_t last_sequence = 0;

  // A few lines for people.
  std::string ToText() const;
  // One JSON object with the fields' names as keys; a clip's key is {"boot_id": hex, "sequence":
  // number}.
  std::string ToJson() const;
};

// NOT_FOUND if the directory holds no spool; DATA_LOSS if its ledger can't be read. Doesn't write,
// lock or wait for the daemon.
absl::StatusOr<StatusReport> ReadStatus(const std::string& directory,
                                        const Clock& clock = RealClock());

}  // namespace gleaner::edge
