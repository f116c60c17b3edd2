#include "cloud/ledger/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "cloud/database/columns.h"
#include "cloud/database/tally.h"
#include "cloud/ledger/gaps.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

// Boots and digests are lower-case hex; times are Unix nanoseconds.
constexpr std::array<std::string_view, 1> kMigrations = {R"(
  -- open: whether a boot is judged anew by a report that doesn't name it.
  CREATE TABLE boot (
    device TEXT NOT NULL, boot_id TEXT NOT NULL, last_sequence BIGINT NOT NULL,
    open BIGINT NOT NULL DEFAULT 1,
    PRIMARY KEY (device, boot_id));
  CREATE INDEX boot_open ON boot (device) WHERE open = 1;
  -- settled: the numbers that ended, committed or with a tombstone, as closed ranges that never
  -- touch. gap: see gaps.h.
  CREATE TABLE settled (
    device TEXT NOT NULL, boot_id TEXT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,
    PRIMARY KEY (device, boot_id, first));
  CREATE TABLE gap (
    device TEXT NOT NULL, boot_id TEXT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,
    PRIMARY KEY (device, boot_id, first));
  CREATE TABLE tombstone (
    number NUMBERED,
    device TEXT NOT NULL, boot_id TEXT NOT NULL, sequence BIGINT NOT NULL, state BIGINT NOT NULL,
    reason TEXT NOT NULL, rule TEXT NOT NULL,
    monotonic_ns BIGINT NOT NULL, wall_ns BIGINT NOT NULL, uncertainty_ns BIGINT NOT NULL,
    UNIQUE (device, boot_id, sequence));
  CREATE INDEX tombstone_recent ON tombstone (device, number);
  CREATE TABLE conflict (
    device TEXT NOT NULL, boot_id TEXT NOT NULL, sequence BIGINT NOT NULL, offered TEXT NOT NULL,
    first_ns BIGINT NOT NULL, last_ns BIGINT NOT NULL, times BIGINT NOT NULL,
    PRIMARY KEY (device, boot_id, sequence));
)"};

constexpr int kMaxBootsReported = 64;  // see ReportLedgerRequest
constexpr int kMaxUnnamedBoots = 256;
constexpr int kMaxGapsReported = 1024;
// Of one device: pieces of its numbers that have ended.
constexpr uint64_t kMaxSettledRanges = 65'536;
constexpr int kRecentTombstones = 20;
constexpr int kRecentConflicts = 20;

// The roll-up that counts tombstones of a state, by device.
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

// A condition on `column` for one device, none for all of them (an empty `name`).
std::string Only(const char* column, std::string_view name, Parameters& parameters) {
  if (name.empty()) return "1 = 1";
  const std::string condition = fmt::format("{} = {}", column, parameters.NextName());
  parameters.Add(name);
  return condition;
}

// Notes that `last` is the highest number given out, if it is news.
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

// Marks a number as ended. False if it had ended already.
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

// Whether a boot is judged anew by a report that doesn't name it: not when one has done so and
// nothing was heard of the boot since.
void SetOpen(Sql& sql, std::string_view device, const std::string& boot_id, bool open) {
  sql.Run(
      "UPDATE boot SET open = :open WHERE device = :device AND boot_id = :boot AND open <> :other",
      In(open, device, boot_id, open));
}

// Turns a tombstone back, since the clip arrived after all.
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

JudgedBoot ReportBoot(Sql& sql, std::string_view device, const v1::BootLedger& boot, bool named,
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
  ReplaceGaps(sql, device, boot_id,
              Missing(boot.last_sequence(), ReadSettled(sql, device, boot_id), pending));
  SetOpen(sql, device, boot_id, named);
  return {boot_id, boot.last_sequence(), std::move(pending)};
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

RoomTables LedgerTables() { return {.room = "ledger", .migrations = kMigrations}; }

void NoteBegun(Sql& sql, std::string_view device, const ClipKey& key) {
  SetOpen(sql, device, HexOf(key.boot_id), true);
}

void NoteCommitted(Sql& sql, std::string_view device, const ClipKey& key) {
  const std::string boot_id = HexOf(key.boot_id);
  if (!Settle(sql, device, boot_id, key.sequence)) {
    RemoveTombstone(sql, device, boot_id, key.sequence);
  }
}

void NoteConflict(Sql& sql, std::string_view device, const ClipKey& key,
                  const Sha256Digest& offered, int64_t unix_ns) {
  sql.Run(
      "INSERT INTO conflict (device, boot_id, sequence, offered, first_ns, last_ns, times) VALUES "
      "(:device, :boot, :sequence, :offered, :first, :last, 1) ON CONFLICT (device, boot_id, "
      "sequence) DO UPDATE SET offered = excluded.offered, last_ns = excluded.last_ns, "
      "times = conflict.times + 1",
      In(device, HexOf(key.boot_id), key.sequence, HexOf(offered), unix_ns, unix_ns));
}

absl::Status ReportLedger(Sql& sql, std::string_view device, const v1::ReportLedgerRequest& report,
                          const std::function<void(const JudgedBoot&)>& on_judged,
                          v1::ReportLedgerResponse* response) {
  RETURN_IF_ERROR(CheckBoots(sql, device, report));
  RETURN_IF_ERROR(CheckRanges(sql, device, report));
  response->Clear();  // the transaction may run again
  for (const v1::BootLedger& boot : report.boots()) {
    on_judged(ReportBoot(sql, device, boot, /*named=*/true, response));
  }
  // A full list may have been cut.
  if (report.boots_size() < kMaxBootsReported) {
    for (const v1::BootLedger& boot : UnnamedBoots(sql, device, report)) {
      on_judged(ReportBoot(sql, device, boot, /*named=*/false, response));
    }
  }
  ListGaps(sql, device, kMaxGapsReported, response->mutable_gaps());
  return absl::OkStatus();
}

std::map<std::string, v1::LedgerSummary, std::less<>> ReadLedgers(Sql& sql, std::string_view only) {
  std::map<std::string, v1::LedgerSummary, std::less<>> ledgers;
  std::string dimension, name;
  uint64_t count = 0;
  Parameters parameters;
  sql.QueryOnce(
      fmt::format("SELECT dimension, value, clips FROM tally WHERE dimension IN ('fired', "
                  "'evicted', 'expired', 'suppressed', 'failed', 'gaps') AND {}",
                  Only("value", only, parameters)),
      parameters, Out(dimension, name, count), [&] {
        v1::LedgerSummary& ledger = ledgers[name];
        if (dimension == "fired") {
          ledger.set_fired(count);
        } else if (dimension == "evicted") {
          ledger.set_evicted(count);
        } else if (dimension == "expired") {
          ledger.set_expired(count);
        } else if (dimension == "suppressed") {
          ledger.set_suppressed(count);
        } else if (dimension == "failed") {
          ledger.set_failed(count);
        } else {
          ledger.set_gaps(count);
        }
      });
  return ledgers;
}

std::map<std::string, uint64_t, std::less<>> ReadGapCounts(Sql& sql) {
  std::map<std::string, uint64_t, std::less<>> gaps;
  std::string name;
  uint64_t count = 0;
  sql.Query("SELECT value, clips FROM tally WHERE dimension = 'gaps'", In(), Out(name, count),
            [&] { gaps[name] = count; });
  return gaps;
}

void ReadRecentTombstones(Sql& sql, std::string_view device, v1::LedgerSummary* ledger) {
  std::string boot_id, reason, rule;
  uint64_t sequence = 0;
  int state = 0;
  int64_t monotonic = 0, wall = 0, uncertainty = 0;
  sql.Query(
      "SELECT boot_id, sequence, state, reason, rule, monotonic_ns, wall_ns, uncertainty_ns FROM "
      "tombstone WHERE device = :device ORDER BY number DESC LIMIT :limit",
      In(device, kRecentTombstones),
      Out(boot_id, sequence, state, reason, rule, monotonic, wall, uncertainty), [&] {
        v1::Tombstone* tombstone = ledger->add_recent();
        tombstone->mutable_key()->set_boot_id(Unhex(boot_id));
        tombstone->mutable_key()->set_sequence(sequence);
        tombstone->set_state(static_cast<v1::Tombstone::State>(state));
        tombstone->set_reason(reason);
        tombstone->set_rule(rule);
        tombstone->mutable_at()->set_monotonic_ns(monotonic);
        tombstone->mutable_at()->set_wall_unix_ns(wall);
        tombstone->mutable_at()->set_wall_uncertainty_ns(uncertainty);
      });
}

void ReadRecentConflicts(Sql& sql, v1::Device* device) {
  std::string boot_id, offered;
  uint64_t sequence = 0, times = 0;
  int64_t first = 0, last = 0;
  sql.Query(
      "SELECT boot_id, sequence, offered, first_ns, last_ns, times FROM conflict WHERE device = "
      ":device ORDER BY last_ns DESC, boot_id, sequence LIMIT :limit",
      In(device->name(), kRecentConflicts), Out(boot_id, sequence, offered, first, last, times),
      [&] {
        v1::Conflict* conflict = device->add_conflicts();
        conflict->mutable_key()->set_boot_id(Unhex(boot_id));
        conflict->mutable_key()->set_sequence(sequence);
        conflict->set_offered_sha256(Unhex(offered));
        conflict->set_first_unix_ns(first);
        conflict->set_last_unix_ns(last);
        conflict->set_times(times);
      });
}

std::map<std::string, uint64_t, std::less<>> CountConflicts(Sql& sql, std::string_view only) {
  std::map<std::string, uint64_t, std::less<>> conflicts;
  std::string name;
  uint64_t count = 0;
  Parameters parameters;
  sql.QueryOnce(fmt::format("SELECT device, COUNT(*) FROM conflict WHERE {} GROUP BY device",
                            Only("device", only, parameters)),
                parameters, Out(name, count), [&] { conflicts[name] = count; });
  return conflicts;
}

}  // namespace gleaner::cloud
