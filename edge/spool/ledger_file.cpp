// Making and setting aside the file of the ledger.
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <random>

#include "common/crash_point.h"
#include "common/file.h"
#include "common/log.h"
#include "common/status.h"
#include "edge/spool/ledger.h"

namespace gleaner::edge {
namespace {

// Small pages: a commit writes each page it touches whole, and most touch a row of a hundred bytes
// in three tables.
constexpr int kPageBytes = 1024;
constexpr size_t kKeepAside = 2;

std::string NewSpoolId() {
  std::random_device random;
  std::string id(16, '\0');
  for (char& c : id) c = static_cast<char>(random());
  return id;
}

void Build(const std::string& path, uint64_t size_bytes, uint64_t ledgers_set_aside) {
  SQLite::Database db(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  db.exec(
      fmt::format("PRAGMA page_size = {}; PRAGMA journal_mode = OFF; PRAGMA auto_vacuum = NONE;"
                  "PRAGMA application_id = {}; PRAGMA user_version = {};",
                  kPageBytes, kLedgerApplicationId, kLedgerFormat));
  db.exec(kLedgerSchema);
  SQLite::Statement spool(db,
                          "INSERT INTO spool(one, spool_id, ledgers_set_aside) VALUES(1, ?, ?)");
  const std::string id = NewSpoolId();
  spool.bind(1, id.data(), static_cast<int>(id.size()));
  spool.bind(2, static_cast<int64_t>(ledgers_set_aside));
  spool.exec();
  AddFreePages(db, size_bytes);
  db.exec("PRAGMA journal_mode = WAL");
}

// The numbers n of PATH.corrupt-n, ascending.
std::vector<uint64_t> AsideNumbers(const std::string& path) {
  const std::filesystem::path file(path);
  const std::string prefix = file.filename().string() + ".corrupt-";
  std::vector<uint64_t> numbers;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(file.parent_path(), error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    uint64_t number = 0;
    const auto [end, bad] =
        std::from_chars(name.data() + prefix.size(), name.data() + name.size(), number);
    if (bad == std::errc() && end == name.data() + name.size()) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

void RemoveWithLog(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((path + suffix).c_str());
}

}  // namespace

void AddFreePages(SQLite::Database& db, uint64_t bytes) {
  // Written once and then freed. In two transactions, or SQLite would not write them at all.
  db.exec("DROP TABLE IF EXISTS filler; CREATE TABLE filler(bytes BLOB)");
  db.exec(fmt::format("INSERT INTO filler VALUES(zeroblob({}))", bytes));
  db.exec("DROP TABLE filler");
}

absl::Status CreateLedger(const std::string& path, uint64_t size_bytes,
                          uint64_t ledgers_set_aside) {
  const std::string fresh = path + ".new";
  RemoveWithLog(fresh);
  // A log without its ledger belongs to nothing that is still there, and must not be replayed into
  // the new one.
  RemoveWithLog(path);
  try {
    Build(fresh, size_bytes, ledgers_set_aside);
  } catch (const SQLite::Exception& error) {
    RemoveWithLog(fresh);
    return Annotate(FromSqlite(error), fmt::format("make {}", path));
  }
  {
    ASSIGN_OR_RETURN(Fd fd, OpenFile(fresh, O_RDWR));
    if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, fmt::format("fsync {}", fresh));
  }
  GLEANER_CRASH_POINT("spool.create.ledger_built");
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    return ErrnoStatus(errno, fmt::format("rename {} to {}", fresh, path));
  }
  RETURN_IF_ERROR(SyncDirectory(std::filesystem::path(path).parent_path().string()));
  GLEANER_CRASH_POINT("spool.create.ledger_renamed");
  return absl::OkStatus();
}

absl::StatusOr<std::string> SetLedgerAside(const std::string& path) {
  const std::vector<uint64_t> numbers = AsideNumbers(path);
  const std::string aside =
      fmt::format("{}.corrupt-{}", path, numbers.empty() ? 1 : numbers.back() + 1);
  // The file goes before its log: a ledger without its log could look sound and be out of date.
  if (::rename(path.c_str(), aside.c_str()) != 0) {
    return ErrnoStatus(errno, fmt::format("rename {} to {}", path, aside));
  }
  ::rename((path + "-wal").c_str(), (aside + "-wal").c_str());
  ::unlink((path + "-shm").c_str());
  for (size_t i = 0; i + kKeepAside <= numbers.size(); ++i) {
    RemoveWithLog(fmt::format("{}.corrupt-{}", path, numbers[i]));
  }
  RETURN_IF_ERROR(SyncDirectory(std::filesystem::path(path).parent_path().string()));
  return aside;
}

uint64_t LedgersSetAside(const std::string& path) {
  const std::vector<uint64_t> numbers = AsideNumbers(path);
  return numbers.empty() ? 0 : numbers.back();
}

}  // namespace gleaner::edge
