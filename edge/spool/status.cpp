#include "edge/spool/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "common/clip_key.h"
#include "common/digest.h"
#include "common/limits.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/text.h"
#include "edge/spool/ledger_reader.h"
#include "edge/spool/ledger_rows.h"
#include "edge/spool/spool_impl.h"

namespace gleaner::edge {
namespace {

// "1.2 MiB of 4.0 MiB (30 %)".
std::string Use(uint64_t used, uint64_t all) {
  const double percent = all == 0 ? 0 : 100 * static_cast<double>(used) / static_cast<double>(all);
  return fmt::format("{} of {} ({:.0f} %)", HumanBytes(used), HumanBytes(all), percent);
}

// The clips in it, and the ended numbers.
void Add(const std::vector<ClipRow>& rows, std::map<RowId, uint64_t>& bytes,
         const std::map<int64_t, BootId>& boots, int64_t now_wall_ns, v1::SpoolStatus* status) {
  std::map<uint32_t, v1::PriorityStatus, std::greater<>> priorities;
  int64_t oldest_wall_ns = now_wall_ns;
  uint64_t unacknowledged = 0, pending_bytes = 0;
  uint32_t capturing = 0, pending = 0;
  for (const ClipRow& row : rows) {
    unacknowledged += IsTombstone(row.state) && !row.acknowledged ? 1 : 0;
    capturing += row.state == ClipState::kCapturing ? 1 : 0;
    if (row.state == ClipState::kBuffered) {
      v1::PriorityStatus& priority = priorities[std::min(row.priority, kMaxPriority)];
      priority.set_clips(priority.clips() + 1);
      priority.set_bytes(priority.bytes() + bytes[row.id]);
      ++pending;
      pending_bytes += bytes[row.id];
      oldest_wall_ns = std::min(oldest_wall_ns, row.at.wall_ns);
    }
    if (row.state == ClipState::kFailed && bytes.contains(row.id)) {
      v1::QuarantinedClip* clip = status->add_quarantined();
      const auto boot = boots.find(OrdinalOf(row.id));
      if (boot != boots.end()) clip->mutable_key()->set_boot_id(std::string(AsBytes(boot->second)));
      clip->mutable_key()->set_sequence(SequenceOf(row.id));
      clip->set_rule(ValidUtf8(row.rule));
      clip->set_reason(ValidUtf8(row.reason));
      clip->set_bytes(bytes[row.id]);
      clip->set_since_unix_ns(row.at.wall_ns);
    }
  }
  for (auto& [number, priority] : priorities) {
    priority.set_priority(number);
    *status->add_pending_by_priority() = std::move(priority);
  }
  status->set_capturing(capturing);
  status->set_pending_clips(pending);
  status->set_pending_bytes(pending_bytes);
  status->set_oldest_pending_s(
      static_cast<uint64_t>((now_wall_ns - oldest_wall_ns) / kNanosPerSecond));
  status->set_tombstones_unacknowledged(unacknowledged);
}

}  // namespace

absl::StatusOr<v1::SpoolStatus> ReadSpoolStatus(const std::string& directory, const Clock& clock) {
  ASSIGN_OR_RETURN(const auto db, OpenLedgerReadOnly(LedgerPath(directory)));
  v1::SpoolStatus status;
  status.set_directory(ValidUtf8(directory));
  std::error_code error;
  const auto size = std::filesystem::file_size(BlocksPath(directory), error);
  status.set_quota_bytes(error ? 0 : size / kBlockBytes * kBlockBytes);

  std::map<int64_t, BootId> boots;
  std::map<RowId, uint64_t> bytes;  // of the clips that have parts
  std::vector<ClipRow> clips;
  RETURN_IF_ERROR(ReadView(*db, [&] {
    const auto pragma = [&](const char* sql) {
      return static_cast<uint64_t>(db->execAndGet(sql).getInt64());
    };
    const uint64_t page_bytes = pragma("PRAGMA page_size");
    const uint64_t pages = pragma("PRAGMA page_count");
    status.set_ledger_bytes(pages * page_bytes);
    status.set_ledger_used_bytes((pages - pragma("PRAGMA freelist_count")) * page_bytes);
    const LedgerCounters counters = ReadCounters(*db);
    status.set_committed_total(counters.committed);
    status.set_evicted_total(counters.evicted);
    status.set_expired_total(counters.expired);
    status.set_suppressed_total(counters.suppressed);
    status.set_failed_total(counters.failed);
    status.set_quarantine_dropped_total(counters.quarantine_dropped);
    status.set_ledgers_set_aside(counters.ledgers_set_aside);
    for (const BootRow& boot : ReadBoots(*db)) {
      boots[boot.ordinal] = boot.boot_id;
      status.set_boot_id(std::string(AsBytes(boot.boot_id)));
      status.set_last_sequence(boot.last_sequence);
    }
    uint64_t blocks = 0;
    ReadParts(*db, [&](const PartRow& part) {
      bytes[part.clip] += part.size_bytes;
      blocks += CountBlocks(part.runs);
    });
    status.set_used_bytes(blocks * kBlockBytes);
    ReadClips(*db, [&](ClipRow row) { clips.push_back(std::move(row)); });
  }));
  Add(clips, bytes, boots, clock.WallNs(), &status);
  return status;
}

std::string ToText(const v1::SpoolStatus& status) {
  std::string text = fmt::format("spool      {}\n", Printable(status.directory()));
  text += fmt::format("in use     {}; of the ledger {}\n",
                      Use(status.used_bytes(), status.quota_bytes()),
                      Use(status.ledger_used_bytes(), status.ledger_bytes()));
  text += fmt::format("waiting    {}, {}", Count(status.pending_clips(), "clip"),
                      HumanBytes(status.pending_bytes()));
  if (status.pending_clips() > 0) {
    text +=
        fmt::format(", the oldest for {}", Span(static_cast<int64_t>(status.oldest_pending_s())));
  }
  text += status.capturing() > 0 ? fmt::format("; {} being captured\n", status.capturing()) : "\n";
  for (const v1::PriorityStatus& priority : status.pending_by_priority()) {
    text += fmt::format("           priority {}: {}, {}\n", priority.priority(),
                        Count(priority.clips(), "clip"), HumanBytes(priority.bytes()));
  }
  text += fmt::format("ended      {} committed, {} evicted, {} expired, {} suppressed, {} failed\n",
                      status.committed_total(), status.evicted_total(), status.expired_total(),
                      status.suppressed_total(), status.failed_total());
  text += fmt::format("to report  {} that the server has not acknowledged\n",
                      status.tombstones_unacknowledged());
  text +=
      fmt::format("boot       {}, last number {}\n", Hex(status.boot_id()), status.last_sequence());
  if (const uint64_t ledgers = status.ledgers_set_aside(); ledgers > 0) {
    text += fmt::format("warning    {} set aside: see spool.db.corrupt-*\n",
                        Count(ledgers, "unreadable ledger"));
  }
  if (const uint64_t dropped = status.quarantine_dropped_total(); dropped > 0) {
    text += fmt::format("warning    the data of {} dropped for lack of room\n",
                        Count(dropped, "quarantined clip"));
  }
  for (const v1::QuarantinedClip& clip : status.quarantined()) {
    text += fmt::format("quarantine {}/{} ({}, {}): {}\n", Hex(clip.key().boot_id().substr(0, 4)),
                        clip.key().sequence(), Printable(clip.rule()), HumanBytes(clip.bytes()),
                        Printable(clip.reason()));
  }
  return text;
}

}  // namespace gleaner::edge
