// The ledger: what became of every sequence number of every device.
//
// A number ends by a commit or by a tombstone; ended numbers are kept as joined ranges (table
// settled), so that a report costs what it says and not what the device has done in its life. At a
// report, what is neither ended nor pending is a gap, also under boots that the report no longer
// names: these are judged once and then closed, until something new is heard of them, so that a
// report doesn't pay for every boot that ever was. A number that ends later leaves the gap. A
// report that another one overtook may judge wrongly what it could not know yet; the next one puts
// that right.
//
// All functions work in the caller's transaction and may throw SqlError.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cloud/database/schema.h"
#include "cloud/ledger/ranges.h"
#include "common/clip_key.h"
#include "common/digest.h"
#include "gleaner/v1/catalog.pb.h"
#include "gleaner/v1/ingest.pb.h"

namespace gleaner::cloud {

// The highest sequence number that the ledger takes; ingest refuses more. A number a second would
// need 136 years to get there.
inline constexpr uint64_t kMaxSequence = 1ull << 32;

// Boots of a device that the ledger keeps apart: a restart a day for eleven years.
inline constexpr uint64_t kMaxBoots = 4096;

RoomTables LedgerTables();

// Something of this number is under way: its boot is heard of.
void NoteBegun(Sql& sql, std::string_view device, const ClipKey& key);

// The clip of this number is committed. A tombstone that was told of it before is turned back.
void NoteCommitted(Sql& sql, std::string_view device, const ClipKey& key);

// Same key, another manifest: kept for an operator to see with the device.
void NoteConflict(Sql& sql, std::string_view device, const ClipKey& key,
                  const Sha256Digest& offered, int64_t unix_ns);

// A boot that a report judged: its numbers up to `last` that are not in `pending` have ended or
// never will.
struct JudgedBoot {
  std::string boot_id;  // lower-case hex
  uint64_t last = 0;
  std::vector<Range> pending;
};

// The report replaces what was known to be missing. A boot that a report of fewer than 64 does not
// name has nothing pending. The caller has checked the contract's bounds. `on_judged` is called for
// each boot. RESOURCE_EXHAUSTED, before anything is changed, for one boot more than kMaxBoots.
absl::Status ReportLedger(Sql& sql, std::string_view device, const v1::ReportLedgerRequest& report,
                          const std::function<void(const JudgedBoot&)>& on_judged,
                          v1::ReportLedgerResponse* response);

// --- reading

// What the ledger counts of devices by name, of all or `only` one: all but `committed`, which the
// clips know, and what follows from it.
std::map<std::string, v1::LedgerSummary, std::less<>> ReadLedgers(Sql& sql, std::string_view only);
// Numbers that are gaps, by device with any, and under "" in all.
std::map<std::string, uint64_t, std::less<>> ReadGapCounts(Sql& sql);
// The last few, newest first.
void ReadRecentTombstones(Sql& sql, std::string_view device, v1::LedgerSummary* ledger);
void ReadRecentConflicts(Sql& sql, v1::Device* device);
// By device, of all or `only` one.
std::map<std::string, uint64_t, std::less<>> CountConflicts(Sql& sql, std::string_view only);

}  // namespace gleaner::cloud
