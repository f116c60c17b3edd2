#include "edge/spool/ledger_rows.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <bit>
#include <cstring>

#include "common/limits.h"

namespace gleaner::edge {

static_assert(std::endian::native == std::endian::little, "columns of arrays are little-endian");

const char kLedgerSchema[] = R"sql(
CREATE TABLE spool(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  spool_id BLOB NOT NULL CHECK(length(spool_id) = 16),
  committed INTEGER NOT NULL DEFAULT 0,
  evicted INTEGER NOT NULL DEFAULT 0,
  expired INTEGER NOT NULL DEFAULT 0,
  suppressed INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  quarantine_dropped INTEGER NOT NULL DEFAULT 0,
  ledgers_set_aside INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE boot(
  ordinal INTEGER PRIMARY KEY,
  boot_id BLOB NOT NULL CHECK(length(boot_id) = 16),
  last_sequence INTEGER NOT NULL
) STRICT;
CREATE TABLE clip(
  id INTEGER PRIMARY KEY,
  state INTEGER NOT NULL CHECK(state BETWEEN 1 AND 6),
  priority INTEGER NOT NULL,
  acknowledged INTEGER NOT NULL DEFAULT 0,
  monotonic_ns INTEGER NOT NULL,
  wall_ns INTEGER NOT NULL,
  wall_uncertainty_ns INTEGER NOT NULL,
  rule TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE part(
  clip INTEGER NOT NULL,
  part INTEGER NOT NULL,
  size INTEGER NOT NULL,
  sha256 BLOB NOT NULL CHECK(length(sha256) = 32),
  xxh3 BLOB NOT NULL,
  runs BLOB NOT NULL,
  bytes BLOB,
  PRIMARY KEY(clip, part)
) STRICT, WITHOUT ROWID;
)sql";

namespace {

std::string Bytes(const SQLite::Column& column) {
  return {static_cast<const char*>(column.getBlob()), static_cast<size_t>(column.getBytes())};
}

template <typename T>
std::string Encode(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

template <typename T>
std::vector<T> Decode(const SQLite::Column& column) {
  const auto size = static_cast<size_t>(column.getBytes());
  std::vector<T> values(size / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), column.getBlob(), values.size() * sizeof(T));
  return values;
}

constexpr char kClipColumns[] =
    "id, state, priority, acknowledged, monotonic_ns, wall_ns, wall_uncertainty_ns, rule, reason";

ClipRow ToClip(SQLite::Statement& row) {
  return {
      .id = row.getColumn(0).getInt64(),
      .state = static_cast<ClipState>(row.getColumn(1).getInt()),
      .priority = row.getColumn(2).getUInt(),
      .acknowledged = row.getColumn(3).getInt() != 0,
      .at = {row.getColumn(4).getInt64(), row.getColumn(5).getInt64(), row.getColumn(6).getInt64()},
      .rule = row.getColumn(7).getString(),
      .reason = row.getColumn(8).getString()};
}

PartRow ToPart(SQLite::Statement& row) {
  PartRow part{.clip = row.getColumn(0).getInt64(),
               .part = row.getColumn(1).getInt(),
               .size_bytes = static_cast<uint64_t>(row.getColumn(2).getInt64()),
               .block_xxh3 = Decode<uint64_t>(row.getColumn(4)),
               .runs = Decode<BlockRun>(row.getColumn(5)),
               .inlined = row.getColumn(6).getInt() != 0};
  if (row.getColumn(3).getBytes() == 32) {
    std::memcpy(part.sha256.data(), row.getColumn(3).getBlob(), 32);
  }
  return part;
}

}  // namespace

absl::Status CheckLedgerFormat(const std::string& path, int64_t format) {
  if (format <= kLedgerFormat) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{} was made by a newer version of gleaner-edge (format {}, this one reads {}). "
                  "Nothing was changed: install that version again, or let it send its clips first",
                  path, format, kLedgerFormat));
}

std::string_view Name(ClipState state) {
  switch (state) {
    case ClipState::kCapturing:
      return "capturing";
    case ClipState::kBuffered:
      return "buffered";
    case ClipState::kEvicted:
      return "evicted";
    case ClipState::kExpired:
      return "expired";
    case ClipState::kSuppressed:
      return "suppressed";
    case ClipState::kFailed:
      return "failed";
  }
  return "unknown";
}

std::string ReadSpoolId(SQLite::Database& db) {
  SQLite::Statement row(db, "SELECT spool_id FROM spool");
  if (!row.executeStep()) throw SQLite::Exception("the spool has no id", SQLITE_CORRUPT);
  return Bytes(row.getColumn(0));
}

LedgerCounters ReadCounters(SQLite::Database& db) {
  SQLite::Statement row(
      db,
      "SELECT committed, evicted, expired, suppressed, failed, quarantine_dropped, "
      "ledgers_set_aside FROM spool");
  if (!row.executeStep()) throw SQLite::Exception("the spool has no counters", SQLITE_CORRUPT);
  const auto at = [&](int i) { return static_cast<uint64_t>(row.getColumn(i).getInt64()); };
  return {at(0), at(1), at(2), at(3), at(4), at(5), at(6)};
}

std::vector<BootRow> ReadBoots(SQLite::Database& db) {
  std::vector<BootRow> boots;
  SQLite::Statement row(db, "SELECT ordinal, boot_id, last_sequence FROM boot ORDER BY ordinal");
  while (row.executeStep()) {
    const auto id = BootIdFromBytes(Bytes(row.getColumn(1)));
    if (!id.ok()) throw SQLite::Exception("a boot id is damaged", SQLITE_CORRUPT);
    boots.push_back(
        {row.getColumn(0).getInt64(), *id, static_cast<uint64_t>(row.getColumn(2).getInt64())});
  }
  return boots;
}

void ReadClips(SQLite::Database& db, const std::function<void(ClipRow)>& body) {
  SQLite::Statement row(db, fmt::format("SELECT {} FROM clip ORDER BY id", kClipColumns));
  while (row.executeStep()) body(ToClip(row));
}

std::optional<ClipRow> ReadClip(SQLite::Database& db, RowId id) {
  SQLite::Statement row(db, fmt::format("SELECT {} FROM clip WHERE id = ?", kClipColumns));
  row.bind(1, id);
  if (!row.executeStep()) return std::nullopt;
  return ToClip(row);
}

void ReadParts(SQLite::Database& db, const std::function<void(PartRow)>& body) {
  // `bytes IS NOT NULL` looks at the row's header only: the pages with the bytes are not read.
  SQLite::Statement row(db,
                        "SELECT clip, part, size, sha256, xxh3, runs, bytes IS NOT NULL FROM part "
                        "ORDER BY clip, part");
  while (row.executeStep()) body(ToPart(row));
}

std::vector<PartRow> ReadParts(SQLite::Database& db, RowId clip) {
  std::vector<PartRow> parts;
  SQLite::Statement row(
      db,
      "SELECT clip, part, size, sha256, xxh3, runs, bytes IS NOT NULL, bytes FROM part "
      "WHERE clip = ? ORDER BY part");
  row.bind(1, clip);
  while (row.executeStep()) {
    parts.push_back(ToPart(row));
    parts.back().bytes = Bytes(row.getColumn(7));
  }
  return parts;
}

std::string EncodeXxh3(const std::vector<uint64_t>& block_xxh3) { return Encode(block_xxh3); }
std::string EncodeRuns(const std::vector<BlockRun>& runs) { return Encode(runs); }

uint64_t BytesInLedger(const PartRow& part) {
  return (part.inlined ? part.size_bytes : 0) + part.block_xxh3.size() * 8 +
         part.runs.size() * sizeof(BlockRun);
}

std::string PartProblem(const PartRow& part) {
  const uint64_t max_bytes = part.part == 0 ? kMaxManifestBytes : kMaxObjectBytes;
  if (part.size_bytes > max_bytes) {
    return fmt::format("has an impossible size of {} bytes", part.size_bytes);
  }
  const uint64_t blocks = BlockCount(part.size_bytes);
  if (part.block_xxh3.size() != blocks) {
    return fmt::format("has {} checksums for {} blocks", part.block_xxh3.size(), blocks);
  }
  const uint64_t expected = part.inlined ? 0 : blocks;
  if (CountBlocks(part.runs) != expected) {
    return fmt::format("names {} blocks instead of {}", CountBlocks(part.runs), expected);
  }
  return "";
}

absl::Status FromSqlite(const SQLite::Exception& error) {
  const std::string text = fmt::format("ledger: {}", error.what());
  switch (error.getExtendedErrorCode()) {
    case SQLITE_IOERR_READ:
    case SQLITE_IOERR_SHORT_READ:
    case SQLITE_IOERR_CORRUPTFS:
      return absl::DataLossError(text);
    default:
      break;
  }
  switch (error.getErrorCode() & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // a table or column that isn't there
    case SQLITE_FORMAT:
      return absl::DataLossError(text);
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return absl::PermissionDeniedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

}  // namespace gleaner::edge
