#include "edge/spool/ledger_reader.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>

#include "common/status.h"
#include "edge/spool/ledger_rows.h"

namespace gleaner::edge {

absl::StatusOr<std::unique_ptr<SQLite::Database>> OpenLedgerReadOnly(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    if (error) return ErrnoStatus(error.value(), path);
    return absl::NotFoundError(fmt::format("{}: no spool here", path));
  }
  try {
    auto db = std::make_unique<SQLite::Database>(path, SQLite::OPEN_READONLY, 5000);
    sqlite3_db_config(db->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    db->exec("PRAGMA query_only = 1; PRAGMA wal_autocheckpoint = 0; PRAGMA trusted_schema = OFF");
    if (db->execAndGet("PRAGMA application_id").getInt() != kLedgerApplicationId) {
      return absl::DataLossError(fmt::format("{} is not a spool's ledger", path));
    }
    RETURN_IF_ERROR(CheckLedgerFormat(path, db->execAndGet("PRAGMA user_version").getInt64()));
    return db;
  } catch (const SQLite::Exception& exception) {
    return FromSqlite(exception);
  }
}

absl::Status ReadView(SQLite::Database& db, const std::function<void()>& body) {
  try {
    SQLite::Transaction view(db);
    body();
    view.commit();
    return absl::OkStatus();
  } catch (const SQLite::Exception& exception) {
    return FromSqlite(exception);
  }
}

}  // namespace gleaner::edge
