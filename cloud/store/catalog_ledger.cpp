// The ledger: what became of every sequence number.
//
// A number ends by a commit or by a tombstone; ended numbers are kept as joined ranges (table
// settled), so that a report costs what it says and not what the device has done in its life. At a
// report, what is neither ended nor pending is a gap, also under boots that the report no longer
// names; a number that ends later leaves the gap. A report that another one overtook may judge
// wrongly what it could not know yet; the next one puts that right.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "cloud/store/sqlite_catalog.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr int kMaxBootsReported = 64;  // see ReportLedgerRequest
constexpr size_t kMaxGapsReported = 1024;
// Ranges kept a boot; more than that is the same alarm, and a report must not fill the database.
constexpr size_t kMaxGapRanges = 1024;

std::vector<Range> ReadRanges(Sql& sql, std::string_view query, std::string_view device,
                              const std::string& boot_id) {
  std::vector<Range> ranges;
  Range range;
  sql.Query(query, In(device, boot_id), Out(range.first, range.last),
            [&] { ranges.push_back(range); });
  return ranges;
}

void LeaveGap(Sql& sql, std::string_view device, const std::string& boot_id, uint64_t sequence) {
  Range gap;
  if (!sql.Query(
          "SELECT first, last FROM gap WHERE device = :device AND boot_id = :boot AND first <= :a "
          "AND last >= :b",
          In(device, boot_id, sequence, sequence), Out(gap.first, gap.last), [] {})) {
    return;
  }
  sql.Run("DELETE FROM gap WHERE device = :device AND boot_id = :boot AND first = :first",
          In(device, boot_id, gap.first));
  const auto insert = [&](uint64_t first, uint64_t last) {
    if (first > last) return;
    sql.Run("INSERT INTO gap (device, boot_id, first, last) VALUES (:device, :boot, :first, :last)",
            In(device, boot_id, first, last));
  };
  insert(gap.first, sequence - 1);
  insert(sequence + 1, gap.last);
}

void InsertTombstone(Sql& sql, std::string_view device, const std::string& boot_id,
                     const v1::Tombstone& tombstone) {
  sql.Run(
      "INSERT INTO tombstone (device, boot_id, sequence, state, reason, rule, monotonic_ns, "
      "wall_ns, uncertainty_ns) VALUES (:device, :boot, :sequence, :state, :reason, :rule, "
      ":monotonic, :wall, :uncertainty)",
      In(device, boot_id, tombstone.key().sequence(), tombstone.state(), tombstone.reason(),
         tombstone.rule(), tombstone.at().monotonic_ns(), tombstone.at().wall_unix_ns(),
         tombstone.at().wall_uncertainty_ns()));
  Tally(sql, TombstoneDimension(tombstone.state()), device, 1);
}

// Uploads of numbers that the device no longer has will never end.
void ForgetGivenUp(Sql& sql, std::string_view device, const std::string& boot_id,
                   uint64_t last_sequence, const std::vector<Range>& pending) {
  std::vector<uint64_t> given_up;
  uint64_t number = 0, sequence = 0;
  sql.Query(
      "SELECT manifest.number, manifest.sequence FROM upload JOIN manifest ON manifest.number = "
      "upload.manifest WHERE upload.device = :device AND manifest.boot_id = :boot",
      In(device, boot_id), Out(number, sequence), [&] {
        if (sequence <= last_sequence && !Contains(pending, sequence)) given_up.push_back(number);
      });
  for (const uint64_t one : given_up) ForgetUpload(sql, one);
}

void ReplaceGaps(Sql& sql, std::string_view device, const std::string& boot_id,
                 const std::vector<Range>& gaps) {
  const std::vector<Range> known = ReadRanges(
      sql, "SELECT first, last FROM gap WHERE device = :device AND boot_id = :boot ORDER BY first",
      device, boot_id);
  if (known == gaps) return;
  sql.Run("DELETE FROM gap WHERE device = :device AND boot_id = :boot", In(device, boot_id));
  for (const Range& gap : gaps) {
    sql.Run("INSERT INTO gap (device, boot_id, first, last) VALUES (:device, :boot, :first, :last)",
            In(device, boot_id, gap.first, gap.last));
  }
}

// Each boot is a row for ever, so a device that invents them must not fill the database.
absl::Status CheckBoots(Sql& sql, std::string_view device, const v1::ReportLedgerRequest& report) {
  uint64_t boots = 0, last = 0;
  sql.Query("SELECT COUNT(*) FROM boot WHERE device = :device", In(device), Out(boots), [] {});
  for (const v1::BootLedger& boot : report.boots()) {
    if (boot.last_sequence() == 0 ||
        sql.Query("SELECT last_sequence FROM boot WHERE device = :device AND boot_id = :boot",
                  In(device, Hex(boot.boot_id())), Out(last), [] {})) {
      continue;
    }
    if (++boots > kMaxBoots) {
      return absl::ResourceExhaustedError(fmt::format(
          "{} boots of device \"{}\" are known and no more are taken: give the device a "
          "certificate with a new name, its clips stay under the old one",
          kMaxBoots, device));
    }
  }
  return absl::OkStatus();
}

void ReportBoot(Sql& sql, std::string_view device, const v1::BootLedger& boot,
                v1::ReportLedgerResponse* response) {
  const std::string boot_id = Hex(boot.boot_id());
  for (const v1::Tombstone& tombstone : boot.tombstones()) {
    // A number that is committed stays so, and a tombstone told twice is one.
    if (Settle(sql, device, boot_id, tombstone.key().sequence())) {
      InsertTombstone(sql, device, boot_id, tombstone);
    }
    *response->add_acknowledged() = tombstone.key();
  }
  RaiseLastSequence(sql, device, boot_id, boot.last_sequence());
  std::vector<Range> pending;
  for (const v1::SequenceRange& range : boot.pending()) {
    pending.push_back({range.first(), range.last()});
  }
  ForgetGivenUp(sql, device, boot_id, boot.last_sequence(), pending);
  const std::vector<Range> settled = ReadRanges(
      sql,
      "SELECT first, last FROM settled WHERE device = :device AND boot_id = :boot ORDER BY first",
      device, boot_id);
  std::vector<Range> gaps = Missing(boot.last_sequence(), settled, pending);
  if (gaps.size() > kMaxGapRanges) gaps.resize(kMaxGapRanges);
  ReplaceGaps(sql, device, boot_id, gaps);
  for (const Range& gap : gaps) {
    for (uint64_t number = gap.first; number <= gap.last; ++number) {
      if (static_cast<size_t>(response->gaps_size()) == kMaxGapsReported) return;
      v1::ClipKey* key = response->add_gaps();
      key->set_boot_id(boot.boot_id());
      key->set_sequence(number);
    }
  }
}

// Known boots of which the device says nothing any more, with their highest number; not those whose
// numbers have all ended. Its ledger was lost, or it has nothing more to say: what has not ended by
// now never will.
std::vector<v1::BootLedger> UnnamedBoots(Sql& sql, std::string_view device,
                                         const v1::ReportLedgerRequest& report) {
  std::set<std::string_view> named;
  for (const v1::BootLedger& boot : report.boots()) named.insert(boot.boot_id());
  std::vector<v1::BootLedger> unnamed;
  std::string boot_id;
  uint64_t last = 0;
  sql.Query(
      "SELECT boot_id, last_sequence FROM boot WHERE device = :device AND NOT EXISTS (SELECT 1 "
      "FROM settled WHERE settled.device = boot.device AND settled.boot_id = boot.boot_id AND "
      "settled.first = 1 AND settled.last >= boot.last_sequence)",
      In(device), Out(boot_id, last), [&] {
        const std::string id = Unhex(boot_id);
        if (named.contains(id)) return;
        unnamed.emplace_back().set_boot_id(id);
        unnamed.back().set_last_sequence(last);
      });
  return unnamed;
}

}  // namespace

std::map<std::string, uint64_t, std::less<>> CountGaps(Sql& sql) {
  std::map<std::string, uint64_t, std::less<>> gaps;
  std::string device;
  uint64_t of_boot = 0;
  // The ranges of one boot are disjoint, so only the sum over boots could overflow.
  sql.Query("SELECT device, SUM(last - first + 1) FROM gap GROUP BY device, boot_id", In(),
            Out(device, of_boot), [&] { gaps[device] = SaturatingSum(gaps[device], of_boot); });
  return gaps;
}

uint64_t SaturatingSum(uint64_t a, uint64_t b) {
  return a > std::numeric_limits<uint64_t>::max() - b ? std::numeric_limits<uint64_t>::max()
                                                      : a + b;
}

std::string_view TombstoneDimension(v1::Tombstone::State state) {
  switch (state) {
    case v1::Tombstone::STATE_EVICTED:
      return "evicted";
    case v1::Tombstone::STATE_EXPIRED:
      return "expired";
    case v1::Tombstone::STATE_SUPPRESSED:
      return "suppressed";
    default:
      return "failed";
  }
}

void RaiseLastSequence(Sql& sql, std::string_view device, const std::string& boot_id,
                       uint64_t last) {
  uint64_t known = 0;
  sql.Query("SELECT last_sequence FROM boot WHERE device = :device AND boot_id = :boot",
            In(device, boot_id), Out(known), [] {});
  if (last <= known) return;
  sql.Run(
      "INSERT INTO boot (device, boot_id, last_sequence) VALUES (:device, :boot, :last) "
      "ON CONFLICT (device, boot_id) DO UPDATE SET last_sequence = excluded.last_sequence",
      In(device, boot_id, last));
  Tally(sql, "fired", device, static_cast<int64_t>(last - known));
}

bool Settle(Sql& sql, std::string_view device, const std::string& boot_id, uint64_t sequence) {
  Range before, after;
  const bool has_before = sql.Query(
      "SELECT first, last FROM settled WHERE device = :device AND boot_id = :boot AND "
      "first <= :sequence ORDER BY first DESC LIMIT 1",
      In(device, boot_id, sequence), Out(before.first, before.last), [] {});
  if (has_before && before.last >= sequence) return false;
  const bool has_after = sql.Query(
      "SELECT first, last FROM settled WHERE device = :device AND boot_id = :boot AND first = "
      ":next",
      In(device, boot_id, sequence + 1), Out(after.first, after.last), [] {});
  if (has_after) {
    sql.Run("DELETE FROM settled WHERE device = :device AND boot_id = :boot AND first = :first",
            In(device, boot_id, after.first));
  }
  const uint64_t last = has_after ? after.last : sequence;
  if (has_before && before.last + 1 == sequence) {
    sql.Run(
        "UPDATE settled SET last = :last WHERE device = :device AND boot_id = :boot AND "
        "first = :first",
        In(last, device, boot_id, before.first));
  } else {
    sql.Run(
        "INSERT INTO settled (device, boot_id, first, last) VALUES (:device, :boot, :first, :last)",
        In(device, boot_id, sequence, last));
  }
  LeaveGap(sql, device, boot_id, sequence);
  RaiseLastSequence(sql, device, boot_id, sequence);
  return true;
}

void RemoveTombstone(Sql& sql, std::string_view device, const std::string& boot_id,
                     uint64_t sequence) {
  int state = 0;
  const bool removed = sql.Query(
      "DELETE FROM tombstone WHERE device = :device AND boot_id = :boot AND sequence = :sequence "
      "RETURNING state",
      In(device, boot_id, sequence), Out(state), [] {});
  if (removed) {
    Tally(sql, TombstoneDimension(static_cast<v1::Tombstone::State>(state)), device, -1);
  }
}

absl::Status SqliteCatalog::ReportLedger(std::string_view device,
                                         const v1::ReportLedgerRequest& report,
                                         v1::ReportLedgerResponse* response) {
  return Write([&](Sql& sql) -> absl::Status {
    RETURN_IF_ERROR(CheckBoots(sql, device, report));
    response->Clear();  // the operation may run again
    for (const v1::BootLedger& boot : report.boots()) ReportBoot(sql, device, boot, response);
    // A full list may have been cut.
    if (report.boots_size() < kMaxBootsReported) {
      for (const v1::BootLedger& boot : UnnamedBoots(sql, device, report)) {
        ReportBoot(sql, device, boot, response);
      }
    }
    return absl::OkStatus();
  });
}

}  // namespace gleaner::cloud
