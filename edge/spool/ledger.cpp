#include "edge/spool/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "common/file.h"
#include "common/log.h"
#include "common/status.h"

namespace gleaner::edge {
namespace {

// Frames of the log after which a commit also moves them into the file. With pages of 1 KiB: 2 MiB.
constexpr int kCheckpointFrames = 2000;
// Room for those, for the largest clip that fits one transaction, and for a reader that holds a
// checkpoint up for a while.
constexpr uint64_t kLogBytes = 8 << 20;
// Pages that commits of new data leave to the commits that clean up.
constexpr uint64_t kReservedPages = 128;
constexpr int kBusyMs = 5000;

bool Lost(const absl::Status& status) { return absl::IsUnavailable(status); }

int64_t Pragma(SQLite::Database& db, const char* name) {
  return db.execAndGet(fmt::format("PRAGMA {}", name)).getInt64();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ClipLedger>> ClipLedger::Open(const LedgerOptions& options) {
  std::unique_ptr<ClipLedger> ledger(new ClipLedger(options));
  std::error_code error;
  const bool there = std::filesystem::exists(options.path, error);
  if (error) return ErrnoStatus(error.value(), options.path);
  if (!there) {
    RETURN_IF_ERROR(CreateLedger(options.path, options.size_bytes, LedgersSetAside(options.path)));
  }
  absl::Status status = ledger->Connect();
  if (status.ok()) status = ledger->Check();
  if (status.ok()) status = ledger->Grow();
  if (absl::IsDataLoss(status)) {
    ledger->Disconnect();
    ASSIGN_OR_RETURN(const std::string aside, SetLedgerAside(options.path));
    LOG_ERROR(
        "spool: {} can't be read ({}); it is kept as {} for a person and a new, empty one takes "
        "its place",
        options.path, Message(status), aside);
    RETURN_IF_ERROR(CreateLedger(options.path, options.size_bytes, LedgersSetAside(options.path)));
    status = ledger->Connect();
  }
  RETURN_IF_ERROR(status);
  return ledger;
}

ClipLedger::~ClipLedger() { Disconnect(); }

void ClipLedger::Disconnect() {
  statements_.clear();
  db_.reset();
}

absl::Status ClipLedger::Connect() {
  // A full disk may have no room even for the 32 KiB of SQLite's shared index; then the daemon does
  // without, and without onlookers.
  for (const char* locking : {"NORMAL", "EXCLUSIVE"}) {
    Disconnect();
    try {
      db_ = std::make_unique<SQLite::Database>(options_.path, SQLite::OPEN_READWRITE, kBusyMs,
                                               options_.vfs);
      sqlite3* handle = db_->getHandle();
      // The log stays when the connection closes, with its room on the disk.
      int on = 1;
      sqlite3_file_control(handle, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
      sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
      db_->exec(
          fmt::format("PRAGMA locking_mode = {}; PRAGMA synchronous = {};"
                      "PRAGMA wal_autocheckpoint = {}; PRAGMA cache_size = -2048;"
                      "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
                      // Debian's default writes zeros over what is deleted: twice the wear of the
                      // flash, and a log as long as all that one transaction lets go.
                      "PRAGMA cell_size_check = ON; PRAGMA secure_delete = OFF;",
                      locking, options_.synchronous, kCheckpointFrames));
      // The first read of the file: here damage shows.
      db_->exec(fmt::format("PRAGMA max_page_count = {}", Pragma(*db_, "page_count")));
      if (Pragma(*db_, "application_id") != kLedgerApplicationId) {
        return absl::DataLossError("not a spool's ledger");
      }
      RETURN_IF_ERROR(CheckLedgerFormat(options_.path, Pragma(*db_, "user_version")));
      db_->exec("PRAGMA journal_mode = WAL");  // if growing was cut short
      page_bytes_ = static_cast<uint64_t>(Pragma(*db_, "page_size"));
      pages_ = static_cast<uint64_t>(Pragma(*db_, "page_count"));
      free_pages_ = static_cast<uint64_t>(Pragma(*db_, "freelist_count"));
      ReserveLog();
      return absl::OkStatus();
    } catch (const SQLite::Exception& error) {
      const int code = error.getExtendedErrorCode();
      const bool no_index = code == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE ||
                            code == SQLITE_IOERR_SHMOPEN || code == SQLITE_IOERR_SHMMAP;
      if (!no_index || std::string_view(locking) == "EXCLUSIVE") {
        db_.reset();
        return FromSqlite(error);
      }
      LOG_WARN("spool: no room for {}-shm; `status` and `fsck` can't look in until the next start",
               options_.path);
    }
  }
  return absl::InternalError("unreachable");
}

absl::Status ClipLedger::Grow() {
  const auto pages = static_cast<uint64_t>(Pragma(*db_, "page_count"));
  const uint64_t wanted = options_.size_bytes / page_bytes_;
  try {
    if (pages < wanted) {
      db_->exec(fmt::format("PRAGMA max_page_count = {}", 2 * wanted));
      db_->exec("PRAGMA journal_mode = DELETE");
      AddFreePages(*db_, (wanted - pages + free_pages_) * page_bytes_);
    } else if (db_->tableExists("filler")) {  // of a growth that was cut short
      db_->exec("DROP TABLE filler");
    } else {
      return absl::OkStatus();
    }
  } catch (const SQLite::Exception& error) {
    LOG_WARN("spool: the ledger stays at {} of {} KiB until the next start: {}",
             pages * page_bytes_ >> 10, options_.size_bytes >> 10, error.what());
  }
  return Connect();
}

void ClipLedger::ReserveLog() {
  // Until its first use a log may not exist; SQLite reads zeros as the end of it.
  const std::string path = options_.path + "-wal";
  auto fd = OpenFile(path, O_RDWR | O_CREAT);
  if (!fd.ok() || ::posix_fallocate(fd->get(), 0, kLogBytes) != 0 || ::fsync(fd->get()) != 0) {
    LOG_WARN("spool: no room reserved for {}; on a full disk the spool may stop", path);
  }
}

absl::Status ClipLedger::Check() {
  try {
    const int64_t used = Pragma(*db_, "page_count") - Pragma(*db_, "freelist_count");
    if (static_cast<uint64_t>(used * Pragma(*db_, "page_size")) <= options_.quick_check_bytes) {
      const std::string found = db_->execAndGet("PRAGMA quick_check(1)").getString();
      if (found != "ok") return absl::DataLossError(found);
    } else {
      ReadClips(*db_, [](const ClipRow&) {});
      ReadParts(*db_, [](const PartRow&) {});
    }
    ReadSpoolId(*db_);
    ReadCounters(*db_);
    ReadBoots(*db_);
    return absl::OkStatus();
  } catch (const SQLite::Exception& error) {
    return FromSqlite(error);
  }
}

absl::Status ClipLedger::Reconnect() {
  RETURN_IF_ERROR(Connect());
  try {
    // Whatever the log holds now goes into the file, and the file to the disk: pages that are
    // written anew, not pages that a failed sync has marked clean. Only then is it known what is
    // there.
    SQLite::Statement row(*db_, "PRAGMA wal_checkpoint(PASSIVE)");
    row.executeStep();
    if (row.getColumn(0).getInt() != 0 || row.getColumn(1).getInt() != row.getColumn(2).getInt()) {
      throw SQLite::Exception("a reader holds up the recovery", SQLITE_BUSY);
    }
    return absl::OkStatus();
  } catch (const SQLite::Exception& error) {
    Disconnect();
    return FromSqlite(error);
  }
}

absl::Status ClipLedger::Write(const std::function<void(Batch&)>& body) {
  if (db_ == nullptr) RETURN_IF_ERROR(Reconnect());
  absl::Status status = TryWrite(body);
  if (!Lost(status)) return status;
  LOG_ERROR("spool: {}; the ledger is opened anew", Message(status));
  RETURN_IF_ERROR(Reconnect());
  status = TryWrite(body);
  if (Lost(status)) Disconnect();
  return status;
}

absl::Status ClipLedger::TryWrite(const std::function<void(Batch&)>& body) {
  try {
    Sql("BEGIN IMMEDIATE").exec();
    Batch batch(*this);
    body(batch);
    SQLite::Statement& free = Sql("PRAGMA freelist_count");
    free.executeStep();
    const int64_t free_pages = free.getColumn(0).getInt64();
    free.tryReset();
    Sql("COMMIT").exec();
    free_pages_ = static_cast<uint64_t>(free_pages);
    return absl::OkStatus();
  } catch (const SQLite::Exception& error) {
    const absl::Status status = FromSqlite(error);
    for (auto& [sql, statement] : statements_) statement->tryReset();
    if (sqlite3_get_autocommit(db_->getHandle()) == 0) db_->tryExec("ROLLBACK");
    return status;
  }
}

absl::Status ClipLedger::Read(const std::function<void(SQLite::Database&)>& body) {
  if (db_ == nullptr) RETURN_IF_ERROR(Reconnect());
  try {
    body(*db_);
    return absl::OkStatus();
  } catch (const SQLite::Exception& error) {
    return FromSqlite(error);
  }
}

bool ClipLedger::HasRoom(uint64_t bytes, uint64_t rows) const {
  // A row may split a page in two; a page of overflow carries four bytes less than it has.
  return free_pages_ >= kReservedPages + 2 * rows + bytes / (page_bytes_ - 4);
}

SQLite::Statement& ClipLedger::Sql(const char* sql) {
  auto& statement = statements_[sql];
  if (statement == nullptr) statement = std::make_unique<SQLite::Statement>(*db_, sql);
  statement->tryReset();
  return *statement;
}

void ClipLedger::Batch::AddBoot(const BootRow& boot) {
  SQLite::Statement& sql =
      ledger_.Sql("INSERT OR IGNORE INTO boot(ordinal, boot_id, last_sequence) VALUES(?, ?, ?)");
  sql.bind(1, boot.ordinal);
  sql.bind(2, boot.boot_id.data(), static_cast<int>(boot.boot_id.size()));
  sql.bind(3, static_cast<int64_t>(boot.last_sequence));
  sql.exec();
}

void ClipLedger::Batch::DropBootIfEmpty(int64_t ordinal) {
  SQLite::Statement& sql = ledger_.Sql(
      "DELETE FROM boot WHERE ordinal = ?1 AND NOT EXISTS(SELECT 1 FROM clip WHERE id BETWEEN ?2 "
      "AND ?3)");
  sql.bind(1, ordinal);
  sql.bind(2, MakeRowId(ordinal, 0));
  sql.bind(3, MakeRowId(ordinal + 1, 0) - 1);
  sql.exec();
}

void ClipLedger::Batch::Take(const ClipRow& row) {
  if (StateOf(row.id) == row.state) return;
  SQLite::Statement& insert = ledger_.Sql(
      "REPLACE INTO clip(id, state, priority, monotonic_ns, wall_ns, wall_uncertainty_ns, rule, "
      "reason) "
      "VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(1, row.id);
  insert.bind(2, static_cast<int>(row.state));
  insert.bind(3, row.priority);
  insert.bind(4, row.at.monotonic_ns);
  insert.bind(5, row.at.wall_ns);
  insert.bind(6, row.at.wall_uncertainty_ns);
  insert.bindNoCopy(7, row.rule);
  insert.bindNoCopy(8, row.reason);
  insert.exec();
  SQLite::Statement& boot = ledger_.Sql("UPDATE boot SET last_sequence = ? WHERE ordinal = ?");
  boot.bind(1, static_cast<int64_t>(SequenceOf(row.id)));
  boot.bind(2, OrdinalOf(row.id));
  boot.exec();
  if (row.state == ClipState::kSuppressed) Count("suppressed");
}

void ClipLedger::Batch::Store(RowId id, const Moment& at, const std::vector<PartRow>& parts) {
  SQLite::Statement& update = ledger_.Sql(
      "UPDATE clip SET state = 2, monotonic_ns = ?, wall_ns = ?, wall_uncertainty_ns = ? WHERE id "
      "= ? AND state = 1");
  update.bind(1, at.monotonic_ns);
  update.bind(2, at.wall_ns);
  update.bind(3, at.wall_uncertainty_ns);
  update.bind(4, id);
  if (update.exec() == 0) {
    if (StateOf(id) == ClipState::kBuffered) return;
    throw SQLite::Exception("the clip's row is gone", SQLITE_CORRUPT);
  }
  for (const PartRow& part : parts) {
    const std::string xxh3 = EncodeXxh3(part.block_xxh3), runs = EncodeRuns(part.runs);
    SQLite::Statement& insert = ledger_.Sql(
        "INSERT INTO part(clip, part, size, sha256, xxh3, runs, bytes) VALUES(?, ?, ?, ?, ?, ?, "
        "?)");
    insert.bind(1, id);
    insert.bind(2, part.part);
    insert.bind(3, static_cast<int64_t>(part.size_bytes));
    insert.bindNoCopy(4, part.sha256.data(), static_cast<int>(part.sha256.size()));
    insert.bindNoCopy(5, xxh3.data(), static_cast<int>(xxh3.size()));
    insert.bindNoCopy(6, runs.data(), static_cast<int>(runs.size()));
    if (part.inlined) {
      insert.bindNoCopy(7, part.bytes.data(), static_cast<int>(part.bytes.size()));
    } else {
      insert.bind(7);
    }
    insert.exec();
    insert.tryReset();
  }
}

void ClipLedger::Batch::End(RowId id, ClipState state, std::string_view reason, const Moment& at) {
  const std::string text(reason);
  SQLite::Statement& sql = ledger_.Sql(
      "UPDATE clip SET state = ?, reason = ?, monotonic_ns = ?, wall_ns = ?, wall_uncertainty_ns = "
      "? "
      "WHERE id = ? AND state IN (1, 2)");
  sql.bind(1, static_cast<int>(state));
  sql.bind(2, text);
  sql.bind(3, at.monotonic_ns);
  sql.bind(4, at.wall_ns);
  sql.bind(5, at.wall_uncertainty_ns);
  sql.bind(6, id);
  if (sql.exec() > 0) Count(Name(state));
}

void ClipLedger::Batch::DropParts(RowId id) {
  SQLite::Statement& sql = ledger_.Sql("DELETE FROM part WHERE clip = ?");
  sql.bind(1, id);
  sql.exec();
}

void ClipLedger::Batch::Forget(RowId id) {
  DropParts(id);
  SQLite::Statement& sql = ledger_.Sql("DELETE FROM clip WHERE id = ?");
  sql.bind(1, id);
  sql.exec();
}

void ClipLedger::Batch::Release(RowId id) {
  SQLite::Statement& sql = ledger_.Sql("DELETE FROM clip WHERE id = ? AND state = 2");
  sql.bind(1, id);
  if (sql.exec() == 0) return;
  DropParts(id);
  Count("committed");
}

void ClipLedger::Batch::Acknowledge(RowId id) {
  SQLite::Statement& drop = ledger_.Sql(
      "DELETE FROM clip WHERE id = ?1 AND state >= 3 AND NOT EXISTS(SELECT 1 FROM part WHERE clip "
      "= ?1)");
  drop.bind(1, id);
  if (drop.exec() > 0) return;
  SQLite::Statement& keep =
      ledger_.Sql("UPDATE clip SET acknowledged = 1 WHERE id = ? AND state >= 3");
  keep.bind(1, id);
  keep.exec();
}

void ClipLedger::Batch::DropQuarantined(RowId id) {
  SQLite::Statement& parts = ledger_.Sql("DELETE FROM part WHERE clip = ?");
  parts.bind(1, id);
  if (parts.exec() == 0) return;
  Count("quarantine_dropped");
  SQLite::Statement& drop = ledger_.Sql("DELETE FROM clip WHERE id = ? AND acknowledged = 1");
  drop.bind(1, id);
  drop.exec();
}

std::optional<ClipState> ClipLedger::Batch::StateOf(RowId id) {
  SQLite::Statement& sql = ledger_.Sql("SELECT state FROM clip WHERE id = ?");
  sql.bind(1, id);
  std::optional<ClipState> state;
  if (sql.executeStep()) state = static_cast<ClipState>(sql.getColumn(0).getInt());
  sql.tryReset();
  return state;
}

void ClipLedger::Batch::Count(std::string_view column) {
  // One literal a counter, so that each statement is prepared once.
  const char* sql = column == "committed"    ? "UPDATE spool SET committed = committed + 1"
                    : column == "evicted"    ? "UPDATE spool SET evicted = evicted + 1"
                    : column == "expired"    ? "UPDATE spool SET expired = expired + 1"
                    : column == "suppressed" ? "UPDATE spool SET suppressed = suppressed + 1"
                    : column == "failed"
                        ? "UPDATE spool SET failed = failed + 1"
                        : "UPDATE spool SET quarantine_dropped = quarantine_dropped + 1";
  ledger_.Sql(sql).exec();
}

}  // namespace gleaner::edge
