// What the spool tells the cloud and the heartbeat about itself.
#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "common/crash_point.h"
#include "common/log.h"
#include "common/status.h"
#include "edge/spool/spool_impl.h"

namespace gleaner::edge {
namespace {

// Bounds of the contract, see ReportLedgerRequest.
constexpr int kMaxBoots = 64;
constexpr int kMaxTombstones = 1024;
constexpr int kMaxRanges = 65536;

v1::Tombstone::State ToProto(ClipState state) {
  switch (state) {
    case ClipState::kEvicted:
      return v1::Tombstone::STATE_EVICTED;
    case ClipState::kExpired:
      return v1::Tombstone::STATE_EXPIRED;
    case ClipState::kSuppressed:
      return v1::Tombstone::STATE_SUPPRESSED;
    default:
      return v1::Tombstone::STATE_FAILED;
  }
}

void AddPending(v1::BootLedger& boot, uint64_t sequence) {
  if (boot.pending_size() > 0) {
    v1::SequenceRange& last = *boot.mutable_pending(boot.pending_size() - 1);
    // Past the contract's bound ranges run together: a number that has ended is then called
    // pending, and none is missing.
    if (last.last() + 1 == sequence || boot.pending_size() == kMaxRanges) {
      last.set_last(sequence);
      return;
    }
  }
  v1::SequenceRange& range = *boot.add_pending();
  range.set_first(sequence);
  range.set_last(sequence);
}

}  // namespace

absl::StatusOr<v1::ReportLedgerRequest> Spool::Impl::Report() {
  std::lock_guard lock(mutex_);
  ExpireOld();
  std::map<int64_t, v1::BootLedger> boots;
  int tombstones = 0;
  RETURN_IF_ERROR(ledger_->Read([&](SQLite::Database& db) {
    for (const BootRow& boot : ReadBoots(db)) {
      boots[boot.ordinal].set_boot_id(std::string(AsBytes(boot.boot_id)));
      boots[boot.ordinal].set_last_sequence(boot.last_sequence);
    }
    // Oldest first up to the bound, and the current one always.
    while (boots.size() > kMaxBoots) boots.erase(std::prev(boots.end(), 2));
    ReadClips(db, [&](ClipRow row) {
      const auto boot = boots.find(OrdinalOf(row.id));
      if (boot == boots.end() || row.acknowledged) return;
      // A tombstone that has to wait for the next report is called pending until then, or it would
      // look like a gap.
      if (!IsTombstone(row.state) || ++tombstones > kMaxTombstones) {
        AddPending(boot->second, SequenceOf(row.id));
        return;
      }
      v1::Tombstone& stone = *boot->second.add_tombstones();
      stone.mutable_key()->set_boot_id(boot->second.boot_id());
      stone.mutable_key()->set_sequence(SequenceOf(row.id));
      stone.set_state(ToProto(row.state));
      stone.set_reason(row.reason);
      stone.mutable_at()->set_monotonic_ns(row.at.monotonic_ns);
      stone.mutable_at()->set_wall_unix_ns(row.at.wall_ns);
      stone.mutable_at()->set_wall_uncertainty_ns(row.at.wall_uncertainty_ns);
      stone.set_rule(row.rule);
    });
  }));
  v1::ReportLedgerRequest report;
  for (auto& [ordinal, boot] : boots) *report.add_boots() = std::move(boot);
  return report;
}

absl::Status Spool::Impl::AcknowledgeTombstones(const std::vector<ClipKey>& keys) {
  if (keys.empty()) return absl::OkStatus();
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(ledger_->Write([&](ClipLedger::Batch& batch) {
    for (const ClipKey& key : keys) {
      const auto id = IdOf(key);
      if (!id) continue;
      batch.Acknowledge(*id);
      if (OrdinalOf(*id) != ordinal_) batch.DropBootIfEmpty(OrdinalOf(*id));
    }
    GLEANER_CRASH_POINT("spool.acknowledge.rows_written");
  }));
  GLEANER_CRASH_POINT("spool.acknowledge.committed");
  return absl::OkStatus();
}

SpoolStats Spool::Impl::stats() {
  std::lock_guard lock(mutex_);
  const absl::Status read =
      ledger_->Read([&](SQLite::Database& db) { counters_ = ReadCounters(db); });
  // Once, not at every heartbeat, for as long as it lasts.
  if (!read.ok() && !read_failed_) LOG_ERROR("spool: {}", Message(read));
  read_failed_ = !read.ok();
  SpoolStats stats{.quota_bytes = uint64_t{store_->blocks()} * kBlockBytes,
                   .used_bytes = uint64_t{store_->used()} * kBlockBytes,
                   .ledger_bytes = ledger_->size_bytes(),
                   .ledger_used_bytes = ledger_->used_bytes(),
                   .pending_clips = static_cast<uint32_t>(index_.pending().size()),
                   .pending_bytes = index_.pending_bytes(),
                   .committed_total = counters_.committed,
                   .evicted_total = counters_.evicted,
                   .expired_total = counters_.expired,
                   .suppressed_total = counters_.suppressed,
                   .failed_total = counters_.failed,
                   .quarantined = static_cast<uint32_t>(index_.quarantined().size())};
  if (!index_.pending().empty()) {
    const int64_t age_ns = AgeNs(index_.pending().begin()->second, Now()).value_or(0);
    stats.oldest_pending_s = static_cast<uint64_t>(std::max<int64_t>(0, age_ns) / kNanosPerSecond);
  }
  return stats;
}

}  // namespace gleaner::edge
