// The ledger: what became of every sequence number.
//
// A number ends by a commit or by a tombstone; ended numbers are kept as joined ranges (table
// settled), so that a report costs what it says and not what the device has done in its life. At a
// report, what is neither ended nor pending is a gap, also under boots that the report no longer
// names: these are judged once and then closed, until something new is heard of them, so that a
// report doesn't pay for every boot that ever was. A number that ends later leaves the gap. A
// report that another one overtook may judge wrongly what it could not know yet; the next one puts
// that right.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cloud/store/ledger_gaps.h"
#include "cloud/store/sqlite_catalog.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr int kMaxBootsReported = 64;  // see ReportLedgerRequest
constexpr int kMaxUnnamedBoots = 256;
constexpr int kMaxGapsReported = 1024;
// Of one device: pieces of its numbers that have ended.
constexpr uint64_t kMaxSettledRanges = 65'536;

std::vector<Range> ReadSettled(Sql& sql, std::string_view device, const std::string& boot_id) {
  std::vector<Range> settled;
  Range range;
  sql.Query(
      "SELECT first, last FROM settled WHERE device = :device AND boot_id = :boot ORDER BY first",
      In(device, boot_id), Out(range.first, range.last), [&] { settled.push_back(range); });
  return settled;
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

// A report reads all ranges of the boots that it names, so a device that answers every other number
// must not make them many.
absl::Status CheckRanges(Sql& sql, std::string_view device, const v1::ReportLedgerRequest& report) {
  const bool adds = std::any_of(report.boots().begin(), report.boots().end(),
                                [](const auto& boot) { return boot.tombstones_size() > 0; });
  if (!adds || ReadTally(sql, "settled_ranges", device) < kMaxSettledRanges) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(fmt::format(
      "the numbers of device \"{}\" that have ended lie in {} pieces, and no more are taken: what "
      "lies between them must end first, or the device is given a certificate with a new name",
      device, kMaxSettledRanges));
}

void ReportBoot(Sql& sql, std::string_view device, const v1::BootLedger& boot, bool named,
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
  ReplaceGaps(sql, device, boot_id,
              Missing(boot.last_sequence(), ReadSettled(sql, device, boot_id), pending));
  SetOpen(sql, device, boot_id, named);
}

// Open boots of which the device says nothing any more, with their highest number: its ledger was
// lost, or it has nothing more to say. What has not ended by now never will. A few at a time, since
// a report holds up every other change.
std::vector<v1::BootLedger> UnnamedBoots(Sql& sql, std::string_view device,
                                         const v1::ReportLedgerRequest& report) {
  std::set<std::string_view> named;
  for (const v1::BootLedger& boot : report.boots()) named.insert(boot.boot_id());
  std::vector<v1::BootLedger> unnamed;
  std::string boot_id;
  uint64_t last = 0;
  sql.Query(
      "SELECT boot_id, last_sequence FROM boot WHERE device = :device AND open = 1 LIMIT :limit",
      In(device, kMaxBootsReported + kMaxUnnamedBoots), Out(boot_id, last), [&] {
        const std::string id = Unhex(boot_id);
        if (named.contains(id)) return;
        unnamed.emplace_back().set_boot_id(id);
        unnamed.back().set_last_sequence(last);
      });
  return unnamed;
}

}  // namespace

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
      "INSERT INTO boot (device, boot_id, last_sequence, open) VALUES (:device, :boot, :last, 1) "
      "ON CONFLICT (device, boot_id) DO UPDATE SET last_sequence = excluded.last_sequence, open = "
      "1",
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
  const bool joins = has_before && before.last + 1 == sequence;
  if (joins) {
    sql.Run(
        "UPDATE settled SET last = :last WHERE device = :device AND boot_id = :boot AND "
        "first = :first",
        In(last, device, boot_id, before.first));
  } else {
    sql.Run(
        "INSERT INTO settled (device, boot_id, first, last) VALUES (:device, :boot, :first, :last)",
        In(device, boot_id, sequence, last));
  }
  if (joins == has_after) Tally(sql, "settled_ranges", device, joins ? -1 : 1);
  LeaveGap(sql, device, boot_id, sequence);
  RaiseLastSequence(sql, device, boot_id, sequence);
  return true;
}

void SetOpen(Sql& sql, std::string_view device, const std::string& boot_id, bool open) {
  sql.Run(
      "UPDATE boot SET open = :open WHERE device = :device AND boot_id = :boot AND open <> :other",
      In(open, device, boot_id, open));
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
    RETURN_IF_ERROR(CheckRanges(sql, device, report));
    response->Clear();  // the operation may run again
    for (const v1::BootLedger& boot : report.boots()) {
      ReportBoot(sql, device, boot, /*named=*/true, response);
    }
    // A full list may have been cut.
    if (report.boots_size() < kMaxBootsReported) {
      for (const v1::BootLedger& boot : UnnamedBoots(sql, device, report)) {
        ReportBoot(sql, device, boot, /*named=*/false, response);
      }
    }
    ListGaps(sql, device, kMaxGapsReported, response->mutable_gaps());
    return absl::OkStatus();
  });
}

}  // namespace gleaner::cloud
