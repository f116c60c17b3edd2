#include "edge/spool/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "common/status.h"
#include "edge/spool/ledger_reader.h"
#include "edge/spool/ledger_rows.h"
#include "edge/spool/spool_impl.h"

namespace gleaner::edge {
namespace {

std::string Size(uint64_t bytes) {
  if (bytes >= 1ull << 30) return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
  if (bytes >= 1ull << 20) return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
  return fmt::format("{} KiB", (bytes + 1023) / 1024);
}

// "1.2 MiB of 4.0 MiB (30 %)".
std::string Use(uint64_t used, uint64_t all) {
  const double percent = all == 0 ? 0 : 100 * static_cast<double>(used) / static_cast<double>(all);
  return fmt::format("{} of {} ({:.0f} %)", Size(used), Size(all), percent);
}

std::string Span(uint64_t seconds) {
  if (seconds >= 2 * 86400) return fmt::format("{} days", seconds / 86400);
  if (seconds >= 2 * 3600) return fmt::format("{} h", seconds / 3600);
  if (seconds >= 120) return fmt::format("{} min", seconds / 60);
  return fmt::format("{} s", seconds);
}

}  // namespace

absl::StatusOr<StatusReport> ReadStatus(const std::string& directory, const Clock& clock) {
  ASSIGN_OR_RETURN(const auto db, OpenLedgerReadOnly(LedgerPath(directory)));
  StatusReport report{.directory = directory};
  std::error_code error;
  const auto size = std::filesystem::file_size(BlocksPath(directory), error);
  report.quota_bytes = error ? 0 : size / kBlockBytes * kBlockBytes;

  std::map<int64_t, BootId> boots;
  std::map<RowId, uint64_t> bytes;  // of the clips that have parts
  std::vector<ClipRow> clips;
  RETURN_IF_ERROR(ReadView(*db, [&] {
    const auto pragma = [&](const char* sql) {
      return static_cast<uint64_t>(db->execAndGet(sql).getInt64());
    };
    const uint64_t page_bytes = pragma("PRAGMA page_size");
    report.ledger_bytes = pragma("PRAGMA page_count") * page_bytes;
    report.ledger_used_bytes = report.ledger_bytes - pragma("PRAGMA freelist_count") * page_bytes;
    const LedgerCounters counters = ReadCounters(*db);
    report.committed_total = counters.committed;
    report.evicted_total = counters.evicted;
    report.expired_total = counters.expired;
    report.suppressed_total = counters.suppressed;
    report.failed_total = counters.failed;
    report.quarantine_dropped_total = counters.quarantine_dropped;
    report.ledgers_set_aside = counters.ledgers_set_aside;
    for (const BootRow& boot : ReadBoots(*db)) {
      boots[boot.ordinal] = boot.boot_id;
      report.boot_id = boot.boot_id;
      report.last_sequence = boot.last_sequence;
    }
    ReadParts(*db, [&](const PartRow& part) {
      bytes[part.clip] += part.size_bytes;
      report.used_bytes += CountBlocks(part.runs) * kBlockBytes;
    });
    ReadClips(*db, [&](ClipRow row) { clips.push_back(std::move(row)); });
  }));

  int64_t oldest_wall_ns = clock.WallNs();
  for (const ClipRow& row : clips) {
    report.tombstones_unacknowledged += IsTombstone(row.state) && !row.acknowledged ? 1 : 0;
    if (row.state == ClipState::kCapturing) ++report.capturing;
    if (row.state == ClipState::kBuffered) {
      StatusReport::PerPriority& priority =
          report.pending_by_priority[std::min(row.priority, kMaxPriority)];
      ++priority.clips;
      priority.bytes += bytes[row.id];
      ++report.pending_clips;
      report.pending_bytes += bytes[row.id];
      oldest_wall_ns = std::min(oldest_wall_ns, row.at.wall_ns);
    }
    if (row.state == ClipState::kFailed && bytes.contains(row.id)) {
      report.quarantined.push_back({{boots[OrdinalOf(row.id)], SequenceOf(row.id)},
                                    row.rule,
                                    row.reason,
                                    bytes[row.id],
                                    row.at.wall_ns});
    }
  }
  report.oldest_pending_s =
      static_cast<uint64_t>((clock.WallNs() - oldest_wall_ns) / kNanosPerSecond);
  return report;
}

std::string StatusReport::ToText() const {
  std::string text = fmt::format("spool      {}\n", directory);
  text += fmt::format("in use     {}\n", Use(used_bytes, quota_bytes));
  text += fmt::format("ledger     {}\n", Use(ledger_used_bytes, ledger_bytes));
  text += fmt::format("waiting    {} clips, {}", pending_clips, Size(pending_bytes));
  if (pending_clips > 0) text += fmt::format(", the oldest for {}", Span(oldest_pending_s));
  text += capturing > 0 ? fmt::format("; {} being captured\n", capturing) : "\n";
  for (size_t i = pending_by_priority.size(); i-- > 0;) {
    if (pending_by_priority[i].clips == 0) continue;
    text += fmt::format("           priority {}: {} clips, {}\n", i, pending_by_priority[i].clips,
                        Size(pending_by_priority[i].bytes));
  }
  text +=
      fmt::format("ended      {} committed, {} evicted, {} expired, {} suppressed, {} failed\n",
                  committed_total, evicted_total, expired_total, suppressed_total, failed_total);
  text +=
      fmt::format("to report  {} that the cloud has not acknowledged\n", tombstones_unacknowledged);
  text += fmt::format("boot       {}, last number {}\n", Hex(AsBytes(boot_id)), last_sequence);
  if (ledgers_set_aside > 0) {
    text += fmt::format("warning    {} unreadable ledgers were set aside: see spool.db.corrupt-*\n",
                        ledgers_set_aside);
  }
  if (quarantine_dropped_total > 0) {
    text +=
        fmt::format("warning    the data of {} quarantined clips was dropped for lack of room\n",
                    quarantine_dropped_total);
  }
  for (const Quarantined& clip : quarantined) {
    text += fmt::format("quarantine {} ({}, {}): {}\n", ToString(clip.key), clip.rule,
                        Size(clip.bytes), clip.reason);
  }
  return text;
}

std::string StatusReport::ToJson() const {
  nlohmann::ordered_json json = {{"directory", directory},
                                 {"quota_bytes", quota_bytes},
                                 {"used_bytes", used_bytes},
                                 {"ledger_bytes", ledger_bytes},
                                 {"ledger_used_bytes", ledger_used_bytes},
                                 {"capturing", capturing},
                                 {"pending_clips", pending_clips},
                                 {"pending_bytes", pending_bytes},
                                 {"oldest_pending_s", oldest_pending_s},
                                 {"committed_total", committed_total},
                                 {"evicted_total", evicted_total},
                                 {"expired_total", expired_total},
                                 {"suppressed_total", suppressed_total},
                                 {"failed_total", failed_total},
                                 {"quarantine_dropped_total", quarantine_dropped_total},
                                 {"ledgers_set_aside", ledgers_set_aside},
                                 {"tombstones_unacknowledged", tombstones_unacknowledged},
                                 {"boot_id", Hex(AsBytes(boot_id))},
                                 {"last_sequence", last_sequence}};
  json["pending_by_priority"] = nlohmann::json::array();
  for (const PerPriority& priority : pending_by_priority) {
    json["pending_by_priority"].push_back({{"clips", priority.clips}, {"bytes", priority.bytes}});
  }
  json["quarantined"] = nlohmann::json::array();
  for (const Quarantined& clip : quarantined) {
    json["quarantined"].push_back(
        {{"key", {{"boot_id", Hex(AsBytes(clip.key.boot_id))}, {"sequence", clip.key.sequence}}},
         {"rule", clip.rule},
         {"reason", clip.reason},
         {"bytes", clip.bytes},
         {"since_unix_ns", clip.since_wall_ns}});
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace gleaner::edge
