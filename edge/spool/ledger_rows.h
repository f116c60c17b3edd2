// What the rows of spool.db say, in plain types, and how they are read. Shared by the daemon, which
// writes them (ledger.h), and by those that look on from another process (status.h, fsck.h).
// spool.h describes every table and column.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "SQLiteCpp/SQLiteCpp.h"
#include "absl/status/status.h"
#include "common/clip_key.h"
#include "common/digest.h"
#include "edge/spool/block_map.h"

namespace gleaner::edge {

inline constexpr int kLedgerFormat = 1;
// FAILED_PRECONDITION if a newer version made the ledger at `path`. It is then left as it is: what
// waits in it can still be sent by that version.
absl::Status CheckLedgerFormat(const std::string& path, int64_t format);
inline constexpr int kLedgerApplicationId = 0x476c6e72;  // "Glnr", in the header of the file
extern const char kLedgerSchema[];

// Stored as numbers: don't renumber.
enum class ClipState : int {
  kCapturing = 1,
  kBuffered = 2,
  kEvicted = 3,
  kExpired = 4,
  kSuppressed = 5,
  kFailed = 6,
};
std::string_view Name(ClipState state);
inline bool IsTombstone(ClipState state) { return state >= ClipState::kEvicted; }

// A clip's key in the ledger: the boot's ordinal (1, 2, … in order of time) and the sequence
// number, in one integer that sorts by age.
using RowId = int64_t;
inline constexpr int kSequenceBits = 40;
inline RowId MakeRowId(int64_t ordinal, uint64_t sequence) {
  return ordinal << kSequenceBits | static_cast<int64_t>(sequence);
}
inline int64_t OrdinalOf(RowId id) { return id >> kSequenceBits; }
inline uint64_t SequenceOf(RowId id) {
  return static_cast<uint64_t>(id) & ((uint64_t{1} << kSequenceBits) - 1);
}

struct Moment {
  int64_t monotonic_ns = 0;
  int64_t wall_ns = 0;
  int64_t wall_uncertainty_ns = 0;  // 0: the clock was not synchronised
};

struct BootRow {
  int64_t ordinal = 0;
  BootId boot_id{};
  uint64_t last_sequence = 0;
};

struct ClipRow {
  RowId id = 0;
  ClipState state = ClipState::kCapturing;
  uint32_t priority = 0;
  bool acknowledged = false;  // the cloud has the tombstone
  Moment at;                  // of the last change of state
  std::string rule;
  std::string reason;
};

// Part 0 of a clip is its manifest, 1 … n are its objects.
struct PartRow {
  RowId clip = 0;
  int part = 0;
  uint64_t size_bytes = 0;
  Sha256Digest sha256{};
  std::vector<uint64_t> block_xxh3;
  std::vector<BlockRun> runs;  // empty when the bytes are in the row
  bool inlined = false;
  std::string bytes;  // only from ReadParts(clip)
};

// How many bytes of the ledger a part takes, to a few.
uint64_t BytesInLedger(const PartRow& part);

// Over the life of the spool.
struct LedgerCounters {
  uint64_t committed = 0;
  uint64_t evicted = 0;
  uint64_t expired = 0;
  uint64_t suppressed = 0;
  uint64_t failed = 0;
  uint64_t quarantine_dropped =
      0;  // quarantined clips whose data went to keep quarantine within its bound
  uint64_t ledgers_set_aside = 0;  // unreadable ledgers that this one came after
};

// All throw SQLite::Exception.
std::string ReadSpoolId(SQLite::Database& db);
LedgerCounters ReadCounters(SQLite::Database& db);
std::vector<BootRow> ReadBoots(SQLite::Database& db);
// In order of id.
void ReadClips(SQLite::Database& db, const std::function<void(ClipRow)>& body);
std::optional<ClipRow> ReadClip(SQLite::Database& db, RowId id);
// Every part of every clip, in order, without bytes. A part that can't be understood comes with
// size 0 and no runs.
void ReadParts(SQLite::Database& db, const std::function<void(PartRow)>& body);
// One clip's parts with their bytes.
std::vector<PartRow> ReadParts(SQLite::Database& db, RowId clip);

// Columns that hold arrays: little-endian, 8 bytes a checksum; 4 + 4 bytes (first, count) a run.
std::string EncodeXxh3(const std::vector<uint64_t>& block_xxh3);
std::string EncodeRuns(const std::vector<BlockRun>& runs);

// What is wrong with a part by itself (a count that doesn't fit its size, …), or empty.
std::string PartProblem(const PartRow& part);

// A library's exception as a status: RESOURCE_EXHAUSTED (disk or ledger full), DATA_LOSS (the file
// is damaged), PERMISSION_DENIED, UNAVAILABLE (I/O error or locked).
absl::Status FromSqlite(const SQLite::Exception& error);

}  // namespace gleaner::edge
